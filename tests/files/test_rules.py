"""What a deploy of files does to what it finds, rule by rule."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scar.errors import ScarError
from workers.files.apply import apply
from workers.files.durable import sync_device
from workers.files.undo import Undo

from .trees import Site, contents, go_on, seen, write

NOBODY = 65534


@contextmanager
def _as_nobody(site: Site) -> Iterator[None]:
    """Everything is nobody's, and the way there is open; the caller may become nobody."""
    folders = [p for p in site.state.parents if p.is_relative_to(Path(tempfile.gettempdir()))]
    modes = {folder: folder.stat().st_mode for folder in folders}
    for folder in folders:
        folder.chmod(folder.stat().st_mode | 0o111)
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", site.state.parent], check=True)
    try:
        yield
    finally:
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)


@contextmanager
def _immutable(path: Path) -> Iterator[None]:
    subprocess.run(["chattr", "+i", path], check=True)
    try:
        yield
    finally:
        os.seteuid(0)
        subprocess.run(["chattr", "-i", path], check=True)


def test_the_production_folder_is_made_and_unmade(site: Site) -> None:
    site.production.rmdir()
    write(site.workspace, {"a/b": "x"})
    _, _, undo = site.prepare()
    assert not site.production.exists()
    site.apply(undo)
    assert contents(site.production) == {"a/b": b"x"}
    assert site.revert(undo) == []
    assert not site.production.exists()
    assert site.revert(undo) == []


def test_nothing_changed_is_no_change(site: Site) -> None:
    write(site.workspace, {"a": "x", "b/c": "y", "l": "-> a"})
    site.deploy()
    _, changes = site.plan()
    assert changes.none
    assert changes.drift == changes.kept == ()


def test_hostile_names_arrive(site: Site) -> None:
    names = ["-rf", "a\nb", "\udcff\udcfe", "n" * 255, " ", "*", "\u00e9", "e\u0301", ".scar-x"]
    write(site.workspace, {f"{name}/{name}": name.encode(errors="surrogateescape").hex()
                           for name in names})  # fmt: skip
    site.deploy()
    assert contents(site.production) == contents(site.workspace)
    assert len(contents(site.production)) == len(names)


def test_times_modes_and_owners(site: Site) -> None:
    write(site.production, {"old": "x"}, mode=0o600)
    os.chown(site.production / "old", 33, 44)
    os.chown(site.production, 55, 66)
    write(site.workspace, {"old": "y", "new/file": "z"})
    (site.workspace / "old").chmod(0o6755)
    site.deploy()
    now, was = seen(site.production), seen(site.workspace)
    assert now["old"][1:5] == (0o755, b"y", 33, 44)
    assert now["new/file"][3:5] == (55, 66)
    assert now["new"][1:5] == (0o755, b"", 55, 66)
    assert (now["old"][5], now["new/file"][5]) == (was["old"][5], was["new/file"][5])


def test_only_the_exec_bit(site: Site) -> None:
    write(site.workspace, {"run": "x"})
    site.deploy()
    (site.workspace / "run").chmod(0o755)
    changes = site.deploy()
    assert (changes.changed, changes.drift) == (("run",), ())
    assert (site.production / "run").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("release", [True, False])
@pytest.mark.parametrize("same", [True, False])
def test_an_environment_file(site: Site, release: bool, same: bool) -> None:
    """What no release brought stays, and stays ours to leave alone, even where both are alike."""
    write(site.workspace, {"conf/.env": "ours"})
    if release:
        site.deploy()
    write(site.production, {"conf/.env": "ours" if same else "theirs"})
    changes = site.deploy()
    assert changes.left_alone == (() if release else ("conf/.env",))
    shutil.rmtree(site.workspace / "conf")
    site.deploy()
    assert (site.production / "conf/.env").exists() is not release


def test_drift_is_told_and_kept_for_good(site: Site) -> None:
    write(site.workspace, {"a": "one", "b": "one", "c": "one"})
    site.deploy()
    write(site.production, {"a": "by hand", "b": "by hand too", "theirs": "t"})
    write(site.workspace, {"a": "two", "theirs": "ours"})
    (site.workspace / "b").unlink()
    changes = site.deploy()
    assert (changes.drift, changes.kept) == (("a", "b"), ("theirs",))
    for _ in range(3):
        write(site.workspace, {"c": f"{_}"})
        site.deploy()
        site.objects.sweep([site.last or {}])
    assert {b"by hand", b"by hand too", b"t"} <= site.stored()
    assert b"one" not in site.stored()


def test_foreign_files_keep_their_folder(site: Site) -> None:
    write(site.workspace, {"pkg/a.py": "x", "pkg/sub/b.py": "y"})
    site.deploy()
    write(site.production, {"pkg/__pycache__/a.pyc": "cache"})
    shutil.rmtree(site.workspace / "pkg")
    site.deploy()
    assert contents(site.production) == {"pkg/__pycache__/a.pyc": b"cache"}
    assert not (site.production / "pkg/sub").exists()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"d": "file"}, {"d/upload": "x"}),
        ({"d": "file"}, {"d/empty/link": "-> ../nowhere"}),
        ({"d": "file"}, {"d/to-folder": "-> /etc"}),
        ({"d/a": "file"}, {"d": "x"}),
        ({"d/a/b": "file"}, {"d": "-> /etc"}),
        ({".env/a": "file"}, {".env": "x"}),
    ],
)
def test_foreign_things_in_the_way_are_refused(
    site: Site, ours: dict[str, str | bytes | None], theirs: dict[str, str | bytes | None]
) -> None:
    write(site.workspace, ours)
    write(site.production, theirs)
    before = seen(site.production)
    with pytest.raises(ScarError) as caught:
        site.deploy()
    assert caught.value.code == "sync_failed"
    assert seen(site.production) == before


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"x": "file"}, {"x/a/b": "inner"}),
        ({"x/a/b": "inner", "x/c": "c"}, {"x": "file"}),
        ({"x": "-> y", "y/a": "a"}, {"x/a": "a", "y/a": "a"}),
        ({"x/a": "a", "y/a": "a"}, {"x": "-> y", "y/a": "a"}),
        ({"x": "file", "y": "y"}, {"x": "-> y", "y": "y"}),
        ({"x": "-> y", "y": "y"}, {"x": "file", "y": "y"}),
        ({"x/y": "file"}, {"x/y/z": "deeper"}),
        ({"Case": "a"}, {"case": "a"}),
    ],
)
def test_changes_of_kind_and_back(
    site: Site, first: dict[str, str | bytes | None], second: dict[str, str | bytes | None]
) -> None:
    write(site.workspace, first)
    site.deploy()
    before = seen(site.production)
    shutil.rmtree(site.workspace)
    write(site.workspace, second)
    _, changes, undo = site.prepare()
    assert changes.drift == ()
    site.apply(undo)
    assert contents(site.production) == contents(site.workspace)
    assert site.revert(undo) == []
    assert seen(site.production) == before


def test_hard_links_are_not_written_through(site: Site) -> None:
    write(site.production, {"a": "old"})
    os.link(site.production / "a", site.production / "twin")
    write(site.workspace, {"a": "new"})
    site.deploy()
    assert contents(site.production) == {"a": b"new", "twin": b"old"}


def test_an_immutable_file_stops_it_and_all_is_undone(site: Site) -> None:
    write(site.workspace, {"a": "1", "b": "1", "c": "1"})
    site.deploy()
    before = seen(site.production)
    write(site.workspace, {"a": "2", "b": "2", "d": "2"})
    (site.workspace / "c").unlink()
    _, _, undo = site.prepare()
    frozen = site.production / "b"
    subprocess.run(["chattr", "+i", frozen], check=True)
    try:
        with pytest.raises(ScarError, match=r"'.*/b' cannot be worked on: Operation not permitted"):
            site.apply(undo)
        assert site.revert(undo) == []
        assert seen(site.production) == before
    finally:
        subprocess.run(["chattr", "-i", frozen], check=True)


def test_changed_by_somebody_before_the_apply(site: Site) -> None:
    write(site.workspace, {"a": "1", "b": "1"})
    site.deploy()
    write(site.workspace, {"a": "2", "b": "2"})
    _, _, undo = site.prepare()
    write(site.production, {"b": "by hand"})
    before = seen(site.production)
    with pytest.raises(ScarError, match="changed while it was being deployed"):
        site.apply(undo)
    assert seen(site.production) == before


def test_changed_by_somebody_between_the_look_and_the_rename(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(site.workspace, {"a": "1", "b": "1"})
    site.deploy()
    before = seen(site.production)
    write(site.workspace, {"a": "2", "b": "2"})
    _, _, undo = site.prepare()

    def and_somebody(handle: int) -> None:
        sync_device(handle)
        (site.production / "b").write_text("by hand")

    monkeypatch.setattr("workers.files.transition.sync_device", and_somebody)
    with pytest.raises(ScarError, match="changed while it was being deployed"):
        site.apply(undo)
    monkeypatch.undo()
    assert site.revert(undo) == ["b"]
    assert b"by hand" in site.stored()
    assert seen(site.production) == before


def test_changed_by_somebody_before_the_revert(site: Site) -> None:
    write(site.workspace, {"a": "1", "gone": "1", "d": "file"})
    site.deploy()
    before = seen(site.production)
    (site.workspace / "gone").unlink()
    (site.workspace / "d").unlink()
    write(site.workspace, {"a": "2", "new/x": "2", "d/x": "2"})
    _, _, undo = site.prepare()
    site.apply(undo)
    write(site.production, {"a": "hand a", "new/x": "hand x", "gone": "hand gone"})
    assert sorted(site.revert(undo)) == ["a", "gone", "new/x"]
    assert seen(site.production) == before
    site.objects.sweep([])
    assert {b"hand a", b"hand x", b"hand gone"} <= site.stored()
    assert site.revert(undo) == []


def test_a_revert_brings_back_what_it_can(site: Site) -> None:
    """What somebody put where an old file stood is not lost, and does not keep the others."""
    write(site.workspace, {"a": "1", "d": "file"})
    site.deploy()
    (site.workspace / "d").unlink()
    write(site.workspace, {"a": "2", "d/x": "2"})
    _, _, undo = site.prepare()
    site.apply(undo)
    write(site.production, {"d/upload": "theirs"})
    for _ in range(2):
        with pytest.raises(ScarError, match=r"Directory not empty|Not a directory"):
            site.revert(undo)
        assert contents(site.production) == {"a": b"1", "d/upload": b"theirs"}
    shutil.rmtree(site.production / "d")
    site.revert(undo)
    assert contents(site.production) == {"a": b"1", "d": b"file"}


def test_a_revert_is_not_kept_by_what_it_cannot_touch(site: Site) -> None:
    """A folder that cannot be removed, and a file that cannot be looked at."""
    write(site.workspace, {"a": "1", "secret": "1", "d/x": "1"})
    site.deploy()
    write(site.workspace, {"a": "2", "secret": "2", "d/new/y": "2"})
    _, _, undo = site.prepare()
    site.apply(undo)
    (site.production / "secret").write_text("theirs")
    with _as_nobody(site), _immutable(site.production / "d"):
        (site.production / "secret").chmod(0)
        os.chown(site.production / "secret", 0, 0)
        os.seteuid(NOBODY)
        for _ in range(2):
            with pytest.raises(ScarError, match=r"'.*/secret' cannot be worked on: Permission"):
                site.revert(undo)
        os.seteuid(0)
        assert contents(site.production) == {"a": b"1", "secret": b"theirs", "d/x": b"1"}


def test_a_link_swapped_in_leads_nowhere(site: Site, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside, {"a": "1", "b": "theirs"})
    write(site.workspace, {"d/a": "1", "d/gone": "1"})
    site.deploy()
    write(site.workspace, {"d/a": "2", "d/new": "2"})
    (site.workspace / "d/gone").unlink()
    _, _, undo = site.prepare()
    (site.production / "d").rename(site.production / "moved")
    (site.production / "d").symlink_to(outside)
    before = seen(outside)
    with pytest.raises(ScarError) as caught:
        site.apply(undo)
    assert caught.value.code == "sync_failed"
    with pytest.raises(ScarError):
        site.revert(undo)
    assert seen(outside) == before
    with pytest.raises(ScarError, match="symbolic link in production"):
        site.plan()
    (site.production / "d").unlink()
    (site.production / "moved").rename(site.production / "d")
    assert site.revert(undo) == []
    assert contents(site.production) == {"d/a": b"1", "d/gone": b"1"}


def test_a_pipe_in_production_is_named(site: Site) -> None:
    os.mkfifo(site.production / "p")
    write(site.workspace, {"p": "x"})
    with pytest.raises(ScarError, match="neither a file nor a link"):
        site.plan()


def test_called_off_leaves_nothing(site: Site) -> None:
    write(site.workspace, {"a": "1", "b/c": "2"})
    _, _, undo = site.prepare()
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise ScarError("cancelled", "called off", "")

    told: list[tuple[int, int]] = []
    with pytest.raises(ScarError, match="called off"):
        _apply(undo, site, told, check)
    assert contents(site.production) == {}
    calls = 10
    _apply(undo, site, told, go_on)
    assert told[-1] == (2, 2)


def _apply(undo: Undo, site: Site, told: list[tuple[int, int]], check: Callable[[], None]) -> None:
    apply(undo, site.objects, site.index, lambda *t: told.append(t), check)


def test_an_edit_right_after_the_deploy_is_seen(site: Site) -> None:
    """Same size, and as near in time as can be."""
    for round in range(20):
        write(site.workspace, {"a": f"{round:04}"})
        site.deploy()
        (site.production / "a").write_text("hand")
        _, changes = site.plan()
        assert changes.drift == ("a",)


def test_many_folders_need_few_descriptors(site: Site) -> None:
    write(site.workspace, {f"{n}/x/{n}": "x" for n in range(700)})
    site.deploy()
    assert len(contents(site.production)) == 700
    _, _, undo = site.prepare()
    shutil.rmtree(site.workspace)
    site.workspace.mkdir()
    assert len(site.deploy().removed) == 700
    assert seen(site.production) == {}
    assert undo.after == {}
