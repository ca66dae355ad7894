"""What was there comes back, byte for byte, and nothing that anybody did since is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.files_scene import contents, go_on, seen, write
from workers.agent.difference import difference
from workers.agent.run_store import Begun, RunStore
from workers.agent.snapshot import Contents, changed_since, listing, still_there
from workers.files.apply import revert
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo


class DiscardScene:
    """A workspace, and what is kept of it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "workspace"
        self.root.mkdir()
        self.state = folder / "state"
        self.runs = 0

    @property
    def run_store(self) -> RunStore:
        """As another process would read it."""
        return RunStore(self.state)

    def keep(self) -> None:
        self.runs += 1
        run_store = self.run_store
        found = run_store.look(self.root)
        begun = Begun(f"job{self.runs}", 1, False, None, tuple(sorted(found.left_out)))
        run_store.keep(begun, self.root, found, go_on)

    def ended(self) -> dict[str, list[str]]:
        run_store = self.run_store
        kept, begun = run_store.kept, run_store.begun
        assert kept
        assert begun
        now = run_store.look(self.root)
        undo = changed_since(kept, frozenset(begun.left_out), now)
        run_store.ended(undo)
        return listing(undo, now)

    def undoable(self) -> tuple[Undo, list[str], Contents]:
        undo = self.run_store.undo
        assert undo
        now = self.run_store.look(self.root)
        return *still_there(undo, now), now

    def discard(self) -> list[str]:
        undo, theirs, _ = self.undoable()
        revert(undo, self.run_store.objects, StatCache())
        return theirs


@pytest.fixture
def scene(tmp_path: Path) -> DiscardScene:
    made = DiscardScene(tmp_path)
    write(
        made.root,
        {
            "app.py": "print('one')\n",
            "src/lib.py": "x = 1\n",
            "src/data.bin": bytes(range(256)) * 10,
            "src/deep/er/note": "",
            "run.sh": "#!/bin/sh\n",
            "current": "-> src/lib.py",
            "outside": "-> /etc/hostname",
            "dangling": "-> nowhere",
            "node_modules/m/index.js": "ignored by git\n",
            ".gitignore": "node_modules\n",
            "__pycache__/a.pyc": b"\x00\x01",
            ".git/HEAD": "ref: refs/heads/main\n",
        },
    )
    (made.root / "empty" / "inside").mkdir(parents=True)
    (made.root / "run.sh").chmod(0o750)
    (made.root / "src").chmod(0o2775)
    os.chown(made.root / "src" / "lib.py", 1234, 4321)
    return made


def everything(root: Path) -> object:
    """All that a discard has to give back; of folders no times."""
    return seen(root)


def havoc(root: Path) -> None:
    """All that an agent can do to files."""
    (root / "app.py").write_text("print('two')\n")
    (root / "run.sh").chmod(0o644)
    (root / "src" / "lib.py").unlink()
    (root / "src" / "data.bin").write_bytes(b"\x00short")
    for path in (root / "src" / "deep" / "er" / "note", root / "current"):
        path.unlink()
    (root / "current").symlink_to("app.py")
    (root / "src" / "deep" / "er").rmdir()
    (root / "src" / "deep").rmdir()
    (root / "src" / "deep").write_text("a file where a folder was\n")
    (root / "dangling").unlink()
    (root / "dangling").mkdir()
    (root / "dangling" / "in").write_text("a folder where a link was\n")
    (root / "empty" / "inside").rmdir()
    (root / "new" / "er").mkdir(parents=True)
    (root / "new" / "er" / "file").write_text("new\n")
    (root / "src").chmod(0o700)
    (root / "node_modules" / "m" / "index.js").write_text("changed\n")


def test_exactly_what_was_there(scene: DiscardScene) -> None:
    before = everything(scene.root)
    scene.keep()
    havoc(scene.root)
    files = scene.ended()
    assert files["added"] == ["dangling/in", "new/er/file", "src/deep"]
    assert "src/lib.py" in files["removed"]
    assert "app.py" in files["changed"]
    assert "run.sh" in files["changed"]
    assert scene.discard() == []
    assert everything(scene.root) == before
    assert scene.discard() == []
    assert everything(scene.root) == before


def test_the_whole_workspace_is_gone(scene: DiscardScene) -> None:
    before = {name: about for name, about in seen(scene.root).items() if ".git/" not in name}
    before.pop(".git")
    scene.keep()
    os.rename(scene.root, scene.root.with_name("elsewhere"))
    assert len(scene.ended()["removed"]) == 12
    assert scene.discard() == []
    assert seen(scene.root) == before


def test_nothing_changed(scene: DiscardScene) -> None:
    scene.keep()
    os.utime(scene.root / "app.py")
    assert scene.ended() == {"added": [], "changed": [], "removed": []}


def test_what_somebody_changed_since_is_left(scene: DiscardScene) -> None:
    scene.keep()
    (scene.root / "app.py").write_text("the agent's\n")
    (scene.root / "run.sh").write_text("the agent's\n")
    (scene.root / "made").write_text("the agent's\n")
    scene.ended()
    (scene.root / "app.py").write_text("mine\n")
    (scene.root / "mine").write_text("mine too\n")
    assert scene.discard() == ["app.py"]
    found = contents(scene.root)
    assert found["app.py"] == b"mine\n"
    assert found["mine"] == b"mine too\n"
    assert found["run.sh"] == b"#!/bin/sh\n"
    assert "made" not in found


def test_cut_off_in_the_middle_and_done_again(scene: DiscardScene) -> None:
    before = everything(scene.root)
    scene.keep()
    havoc(scene.root)
    scene.ended()
    undo, _, _ = scene.undoable()
    scene.run_store.discard(undo)
    # Half of it is back already.
    (scene.root / "app.py").write_text("print('one')\n")
    (scene.root / "new" / "er" / "file").unlink()
    cut_off = scene.run_store.discarding
    assert cut_off
    revert(cut_off, scene.run_store.objects, StatCache())
    found = everything(scene.root)
    assert isinstance(found, dict)
    assert isinstance(before, dict)
    same = {name: about[:5] for name, about in found.items()}
    assert same == {name: about[:5] for name, about in before.items()}


def test_pipes_and_depths_are_named_and_left(scene: DiscardScene) -> None:
    os.mkfifo(scene.root / "was-there")
    scene.keep()
    os.mkfifo(scene.root / "came")
    (scene.root / "app.py").unlink()
    os.mkfifo(scene.root / "app.py")
    deep = scene.root
    for _ in range(230):
        deep = deep / "d"
        os.mkdir(deep)
    (deep / "file").touch()
    files = scene.ended()
    assert "app.py" in files["removed"]
    assert scene.run_store.look(scene.root).special == {"was-there", "came", "app.py"}
    scene.discard()
    assert (scene.root / "was-there").is_fifo()
    assert (scene.root / "came").is_fifo()


def test_only_the_last_run_is_kept(scene: DiscardScene) -> None:
    scene.keep()
    (scene.root / "app.py").write_text("first\n")
    scene.ended()
    scene.keep()
    assert scene.run_store.undo is None
    (scene.root / "app.py").write_text("second\n")
    scene.ended()
    scene.discard()
    assert (scene.root / "app.py").read_text() == "first\n"
    kept = {p.read_bytes() for p in (scene.state / "objects").rglob("*") if p.is_file()}
    assert b"print('one')\n" not in kept


def test_the_diff(scene: DiscardScene) -> None:
    scene.keep()
    havoc(scene.root)
    (scene.root / "-rf").write_text("a name like an option\n")
    (scene.root / "line\nbreak").write_text("a name of two lines\n")
    (scene.root / ".gitattributes").write_text("* diff=evil\n")
    scene.ended()
    undo = scene.run_store.undo
    assert undo
    text, left_out = difference(undo, scene.run_store.objects)
    assert "-print('one')\n+print('two')\n" in text
    assert "--- a/app.py\n+++ b/app.py\n" in text
    assert "old mode 100755\nnew mode 100644" in text
    assert "Binary files a/src/data.bin and b/src/data.bin differ" in text
    assert "+a name like an option" in text
    assert "+a name of two lines" in text
    assert left_out == ["current", "dangling"]


def test_a_diff_without_an_end(scene: DiscardScene) -> None:
    scene.keep()
    for number in range(30):
        (scene.root / f"large{number}").write_text("0123456789\n" * 20_000)
    (scene.root / "huge").write_text("0123456789\n" * 200_000)
    scene.ended()
    undo = scene.run_store.undo
    assert undo
    text, left_out = difference(undo, scene.run_store.objects)
    assert len(text) < 201_000
    assert left_out == ["huge"]


def test_a_damaged_record_is_an_error_that_says_so(scene: DiscardScene) -> None:
    scene.keep()
    scene.ended()
    (scene.state / "undo.json").write_text("{")
    with pytest.raises(ScarError, match="damaged"):
        scene.undoable()
