"""Handing root's files over to the agent's user, and taking them back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.files_scene import seen, write
from workers.agent import handover
from workers.agent.handover import hand_over, take_back
from workers.agent.identity import NOBODY
from workers.agent.walk import WalkEntry, walk
from workers.files.tree import Tree

from .conftest import own


def test_the_agents_user_owns_roots_plain_files_during_a_run_and_root_again_after_it(
    public: Path,
) -> None:
    root, note = public / "workspace", public / "note"
    write(root, {"a": "a", "sub/b": "b", "sub/link": "-> ../a", "mine": "m", "nobodys": "n"})
    write(public, {"outside": "o"})
    os.symlink(public / "outside", root / "out")
    os.link(public / "outside", root / "two-names")
    (root / "setuid").write_text("s")
    (root / "setuid").chmod(0o4755)
    os.chown(root / "mine", 1234, 1234)
    os.chown(root / "nobodys", NOBODY, 0)
    before, outside = seen(root), seen(public)["outside"]
    hand_over(note, root, NOBODY, NOBODY)
    owners = {name: about[3] for name, about in seen(root).items()}
    assert owners == {
        "a": NOBODY, "sub": NOBODY, "sub/b": NOBODY, "nobodys": NOBODY, "mine": 1234,
        "sub/link": 0, "out": 0, "two-names": 0, "setuid": 0,
    }  # fmt: skip
    assert root.stat().st_uid == NOBODY
    (root / "made").mkdir()
    (root / "made" / "file").write_text("f")
    (root / "made" / "file").chmod(0o4755)
    own(root / "made", NOBODY)
    (root / "made" / "file").chmod(0o4755)
    take_back(note)
    after = seen(root)
    assert (after.pop("made")[3:5], after.pop("made/file")[1:5]) == ((0, 0), (0o755, b"f", 0, 0))
    assert after == before
    assert root.stat().st_uid == 0
    assert seen(public)["outside"] == outside
    assert not note.exists()


def test_root_owns_its_files_again_after_an_interrupted_run(public: Path) -> None:
    root, note = public / "workspace", public / "note"
    write(root, {"a": "a", "sub/b": "b"})
    before = seen(root)
    hand_over(note, root, NOBODY, NOBODY)
    os.chown(root / "sub" / "b", 0, -1)  # as if cut off: not handed over yet, or taken back already
    take_back(note)
    assert seen(root) == before
    take_back(note)


def test_no_owner_is_changed_behind_a_link_that_replaced_the_workspace(public: Path) -> None:
    root, note = public / "workspace", public / "note"
    write(root, {"a": "a"})
    write(public / "else", {"theirs": "t"})
    os.chown(public / "else" / "theirs", NOBODY, 0)
    hand_over(note, root, NOBODY, NOBODY)
    os.rename(root, public / "moved")
    os.symlink(public / "else", root)
    take_back(note)
    assert (public / "else" / "theirs").stat().st_uid == NOBODY


def test_a_file_that_is_replaced_during_the_handover_keeps_its_owner(
    public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another agent of the same user can replace files in folders that were handed over before."""
    root, note = public / "workspace", public / "note"
    write(root, {"a": "a", "b": "b", "c": "c", "d": "d"})
    write(public, {"roots": "r", "theirs": "t"})
    os.chown(public / "theirs", 1234, 1234)
    sources = {"a": "roots", "b": "theirs", "c": "roots"}
    passes = 0

    def replacing_walk(tree: Tree) -> Iterator[WalkEntry]:
        nonlocal passes
        passes += 1
        for entry in walk(tree):
            if passes == 2 and entry.path in sources:  # the first pass is for the note
                (root / entry.path).unlink()
                if entry.path == "c":
                    (root / "c").symlink_to(public / "roots")
                else:
                    os.link(public / sources[entry.path], root / entry.path)
            yield entry

    monkeypatch.setattr(handover, "walk", replacing_walk)
    hand_over(note, root, NOBODY, NOBODY)
    assert ((public / "roots").stat().st_uid, (public / "theirs").stat().st_uid) == (0, 1234)
    assert (root / "d").stat().st_uid == NOBODY
    monkeypatch.undo()
    (root / "mine").symlink_to(public / "theirs")
    os.chown(root / "mine", NOBODY, NOBODY, follow_symlinks=False)
    take_back(note)
    assert (root / "mine").lstat().st_uid == 0
    assert (public / "theirs").stat().st_uid == 1234
