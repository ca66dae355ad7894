"""Discarding a run restores every file and folder, except what somebody has changed since."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.files_scene import contents, go_on, seen, write
from workers.agent.changes import ChangedPaths, changed_paths, undo_since, without_conflicts
from workers.agent.difference import difference
from workers.agent.run_store import RunRecord, RunStore
from workers.files.apply import revert
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo


class DiscardScene:
    """A workspace, and the state folder of its agent."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "workspace"
        self.root.mkdir()
        self.state = folder / "state"
        self.runs = 0

    @property
    def run_store(self) -> RunStore:
        """A new store each time, which reads the disk as another process would."""
        return RunStore(self.state)

    def start_run(self) -> None:
        self.runs += 1
        run_store = self.run_store
        contents = run_store.scan(self.root)
        record = RunRecord(f"job{self.runs}", 1, False, None, tuple(sorted(contents.left_out)))
        run_store.start_run(record, self.root, contents, go_on)

    def end_run(self) -> ChangedPaths:
        run_store = self.run_store
        snapshot, record = run_store.snapshot, run_store.last_run
        assert snapshot
        assert record
        now = run_store.scan(self.root)
        undo = undo_since(snapshot, frozenset(record.left_out), now)
        run_store.save_undo(undo)
        return changed_paths(undo, now)

    def plan_discard(self) -> tuple[Undo, list[str]]:
        undo = self.run_store.undo
        assert undo
        return without_conflicts(undo, self.run_store.scan(self.root))

    def discard(self) -> list[str]:
        """Discard the run, and return the paths that somebody has changed since."""
        undo, conflicts = self.plan_discard()
        revert(undo, self.run_store.content_store, StatCache())
        return conflicts


@pytest.fixture
def scene(tmp_path: Path) -> DiscardScene:
    scene = DiscardScene(tmp_path)
    write(
        scene.root,
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
    (scene.root / "empty" / "inside").mkdir(parents=True)
    (scene.root / "run.sh").chmod(0o750)
    (scene.root / "src").chmod(0o2775)
    os.chown(scene.root / "src" / "lib.py", 1234, 4321)
    return scene


def change_everything(root: Path) -> None:
    """Change files, folders and links in every way that an agent can."""
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


def test_a_discard_restores_every_change_and_can_be_repeated(scene: DiscardScene) -> None:
    before = seen(scene.root)
    scene.start_run()
    change_everything(scene.root)
    files = scene.end_run()
    assert files.added == ("dangling/in", "new/er/file", "src/deep")
    assert "src/lib.py" in files.removed
    assert "app.py" in files.changed
    assert "run.sh" in files.changed
    assert scene.discard() == []
    assert seen(scene.root) == before
    assert scene.discard() == []
    assert seen(scene.root) == before


def test_a_workspace_that_was_deleted_is_restored(scene: DiscardScene) -> None:
    before = {name: about for name, about in seen(scene.root).items() if ".git/" not in name}
    before.pop(".git")
    scene.start_run()
    os.rename(scene.root, scene.root.with_name("elsewhere"))
    assert len(scene.end_run().removed) == 12
    assert scene.discard() == []
    assert seen(scene.root) == before


def test_a_new_timestamp_alone_is_no_change(scene: DiscardScene) -> None:
    scene.start_run()
    os.utime(scene.root / "app.py")
    assert scene.end_run() == ChangedPaths((), (), ())


def test_a_discard_leaves_files_that_somebody_changed_since(scene: DiscardScene) -> None:
    scene.start_run()
    (scene.root / "app.py").write_text("the agent's\n")
    (scene.root / "run.sh").write_text("the agent's\n")
    (scene.root / "made").write_text("the agent's\n")
    scene.end_run()
    (scene.root / "app.py").write_text("mine\n")
    (scene.root / "mine").write_text("mine too\n")
    assert scene.discard() == ["app.py"]
    files = contents(scene.root)
    assert files["app.py"] == b"mine\n"
    assert files["mine"] == b"mine too\n"
    assert files["run.sh"] == b"#!/bin/sh\n"
    assert "made" not in files


def test_an_interrupted_discard_can_be_finished(scene: DiscardScene) -> None:
    before = seen(scene.root)
    scene.start_run()
    change_everything(scene.root)
    scene.end_run()
    undo, _ = scene.plan_discard()
    scene.run_store.save_discard(undo)
    # As if cut off: half of it is reverted already.
    (scene.root / "app.py").write_text("print('one')\n")
    (scene.root / "new" / "er" / "file").unlink()
    cut_off = scene.run_store.last_discard
    assert cut_off
    revert(cut_off, scene.run_store.content_store, StatCache())
    after = {name: about[:5] for name, about in seen(scene.root).items()}
    assert after == {name: about[:5] for name, about in before.items()}


def test_a_discard_leaves_pipes_and_very_deep_folders_as_they_are(scene: DiscardScene) -> None:
    os.mkfifo(scene.root / "was-there")
    scene.start_run()
    os.mkfifo(scene.root / "came")
    (scene.root / "app.py").unlink()
    os.mkfifo(scene.root / "app.py")
    deep = scene.root
    for _ in range(230):
        deep = deep / "d"
        os.mkdir(deep)
    (deep / "file").touch()
    files = scene.end_run()
    assert "app.py" in files.removed
    assert scene.run_store.scan(scene.root).special == {"was-there", "came", "app.py"}
    scene.discard()
    assert (scene.root / "was-there").is_fifo()
    assert (scene.root / "came").is_fifo()


def test_only_the_last_run_can_be_discarded_and_older_contents_are_dropped(
    scene: DiscardScene,
) -> None:
    scene.start_run()
    (scene.root / "app.py").write_text("first\n")
    scene.end_run()
    scene.start_run()
    assert scene.run_store.undo is None
    (scene.root / "app.py").write_text("second\n")
    scene.end_run()
    scene.discard()
    assert (scene.root / "app.py").read_text() == "first\n"
    stored = {p.read_bytes() for p in (scene.state / "objects").rglob("*") if p.is_file()}
    assert b"print('one')\n" not in stored


def test_the_diff_shows_text_modes_and_odd_names_and_leaves_out_links(scene: DiscardScene) -> None:
    scene.start_run()
    change_everything(scene.root)
    (scene.root / "-rf").write_text("a name like an option\n")
    (scene.root / "line\nbreak").write_text("a name of two lines\n")
    (scene.root / ".gitattributes").write_text("* diff=evil\n")
    scene.end_run()
    undo = scene.run_store.undo
    assert undo
    text, left_out = difference(undo, scene.run_store.content_store)
    assert "-print('one')\n+print('two')\n" in text
    assert "--- a/app.py\n+++ b/app.py\n" in text
    assert "old mode 100755\nnew mode 100644" in text
    assert "Binary files a/src/data.bin and b/src/data.bin differ" in text
    assert "+a name like an option" in text
    assert "+a name of two lines" in text
    assert left_out == ["current", "dangling"]


def test_a_huge_diff_is_cut_and_a_huge_file_left_out(scene: DiscardScene) -> None:
    scene.start_run()
    for number in range(30):
        (scene.root / f"large{number}").write_text("0123456789\n" * 20_000)
    (scene.root / "huge").write_text("0123456789\n" * 200_000)
    scene.end_run()
    undo = scene.run_store.undo
    assert undo
    text, left_out = difference(undo, scene.run_store.content_store)
    assert len(text) < 201_000
    assert left_out == ["huge"]


def test_a_damaged_undo_record_is_reported(scene: DiscardScene) -> None:
    scene.start_run()
    scene.end_run()
    (scene.state / "undo.json").write_text("{")
    with pytest.raises(ScarError, match="damaged"):
        scene.plan_discard()


def test_changed_git_hooks_and_settings_are_reported_and_restored_by_a_discard(
    scene: DiscardScene,
) -> None:
    write(
        scene.root,
        {
            ".git/config": "[core]\n",
            ".git/objects/aa/bb": "an object\n",
            ".git/modules/deep/lib/config": "[core]\n",
            ".git/modules/deep/lib/index": "an index\n",
            "vendored/.git": "gitdir: ../.git/modules/deep/lib\n",
        },
    )
    before = seen(scene.root)
    scene.start_run()
    changes = {
        ".git/config": "[include]\n\tpath = ../evil\n",
        ".git/config.worktree": "[core]\n\tfsmonitor = evil\n",
        ".git/hooks/post-merge": "#!/bin/sh\n",
        ".git/info/attributes": "* filter=evil\n",
        ".git/objects/info/alternates": "/root/private/.git/objects\n",
        ".git/commondir": "/elsewhere\n",
        ".git/modules/deep/lib/config": '[filter "evil"]\n',
        ".git/modules/deep/lib/hooks/pre-commit": "#!/bin/sh\n",
        ".git/worktrees/one/config.worktree": "[core]\n",
        "vendored/.git": "gitdir: /elsewhere\n",
        "nested/.git/hooks/post-checkout": "#!/bin/sh\n",
    }
    write(scene.root, changes)
    of_commits = {
        ".git/HEAD": "ref: refs/heads/other\n",
        ".git/index": "an index\n",
        ".git/refs/heads/other": "1234\n",
        ".git/objects/cc/dd": "an object\n",
        ".git/hooks/pre-push.sample": "an example\n",
        ".git/modules/deep/lib/index": "another index\n",
    }
    write(scene.root, of_commits)
    files = scene.end_run()
    assert {*files.added, *files.changed} == {*changes}
    assert scene.discard() == []
    now = seen(scene.root)
    assert {path for path in before if now.get(path) != before[path]} == {
        path for path in of_commits if path in before
    }
    assert not {path for path in now if now[path][0] == "file"} - {*before, *of_commits}


def test_a_deleted_git_repository_is_not_partly_restored(scene: DiscardScene) -> None:
    write(scene.root, {".git/config": "[core]\n", ".git/hooks/pre-push": "#!/bin/sh\n"})
    scene.start_run()
    shutil.rmtree(scene.root / ".git")
    (scene.root / ".git").write_text("gitdir: /elsewhere\n")
    assert scene.end_run().added == (".git",)
    assert scene.discard() == []
    assert not (scene.root / ".git").exists()
