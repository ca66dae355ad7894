"""SIGKILL and disk errors at every system call that changes something."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.files_scene import FilesScene, Seen, contents, seen, write
from tests.support.waiting import PATIENCE

CALLS = (
    "write", "fsync", "syncfs", "rename", "renameat", "unlink", "unlinkat", "rmdir", "mkdir",
    "mkdirat", "symlinkat", "fchmod", "fchown", "fchownat", "utimensat",
)  # fmt: skip
OLD = {
    "a.txt": "old a",
    "run.sh": "run",
    "same.txt": "same",
    "turns/into/file": "old inner",
    "folder": "old file",
    "link": "old text",
    "gone/deep/x": "old x",
    "shared/x": "old shared",
}
NEW = {
    "a.txt": "new a",
    "run.sh": "run",
    "same.txt": "same",
    "turns/into": "new file",
    "folder/deep/inner": "new inner",
    "link": "-> a.txt",
    "fresh/b.txt": "new b",
}
FOREIGN = {"shared/upload": "theirs", "data/db": "rows"}


class Traced:
    """Children of the zygote, each under strace."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.support.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, scene: FilesScene, what: str, inject: str | None = None) -> int:
        """Acts, with `inject` (strace's words); the exit code, negative for a signal."""
        assert self._zygote.stdin is not None
        self._zygote.stdin.write(f"{what}\t{scene.state}\t{scene.workspace}\n")
        self._zygote.stdin.flush()
        pid = self._answer()
        _wait_for(pid, "State", "T")
        options = ["-e", f"inject={inject}"] if inject else []
        trace = ["-e", f"trace={','.join(CALLS)}", "-o", str(self._log)]
        strace = subprocess.Popen(["strace", *trace, *options, "-qq", "-p", str(pid)])
        _wait_for(pid, "TracerPid", str(strace.pid))
        os.kill(pid, signal.SIGCONT)
        status = os.waitstatus_to_exitcode(self._answer())
        strace.wait(10)
        return status

    def calls(self, scene: FilesScene, what: str) -> list[tuple[str, int]]:
        """Every system call of an undisturbed run, as name and number."""
        assert self.run(scene, what) == 0
        count: Counter[str] = Counter()
        points: list[tuple[str, int]] = []
        for line in self._log.read_text().splitlines():
            name, bracket, _ = line.partition("(")
            if bracket:
                count[name] += 1
                # What is refused anyway (a folder made that is there) changes nothing.
                if ") = -1 " not in line:
                    points.append((name, count[name]))
        assert len(points) > 40, points
        return points

    def _answer(self) -> int:
        assert self._zygote.stdout is not None
        return int(self._zygote.stdout.readline())

    def end(self) -> None:
        assert self._zygote.stdin is not None
        self._zygote.stdin.close()
        self._zygote.wait(10)


def _wait_for(pid: int, field: str, value: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:") and line.split()[1] == value:
                return
        time.sleep(0.002)
    raise AssertionError(f"{pid} never had {field} {value}")


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Traced]:
    made = Traced(tmp_path / "strace.log")
    yield made
    made.end()


class Reference:
    """A prepared change with every kind of step in it, and both its ends."""

    def __init__(self, scene: FilesScene) -> None:
        self.scene = scene
        write(scene.workspace, OLD)
        scene.deploy()
        write(scene.production, FOREIGN)
        (scene.production / "gone").chmod(0o700)
        (scene.production / "gone" / "deep").chmod(0o1777)
        for name in ("a.txt", "gone/deep", "turns"):
            os.chown(scene.production / name, 1234, 2345)
        (scene.production / "a.txt").chmod(0o4644)
        self.old = seen(scene.production)
        shutil.rmtree(scene.workspace)
        write(scene.workspace, NEW)
        (scene.workspace / "run.sh").chmod(0o755)
        _, self.changes, self.undo = scene.prepare()
        scene.apply(self.undo)
        self.new = seen(scene.production)
        assert contents(scene.production) == {
            path: text.removeprefix("-> ").encode() for path, text in {**NEW, **FOREIGN}.items()
        }
        self.back()

    def back(self) -> None:
        assert self.scene.revert(self.undo) == []
        self.is_old()

    def is_old(self) -> None:
        assert seen(self.scene.production) == self.old

    def is_new(self) -> None:
        assert seen(self.scene.production) == self.new

    def is_whole(self) -> None:
        """Each file is the old or the new one; only SCAR's own temporaries are beside them."""
        now = seen(self.scene.production)
        for path, state in now.items():
            if state[0] != "folder" and not path.rpartition("/")[2].startswith(".scar-"):
                assert state in (self.old.get(path), self.new.get(path)), path
        for path in FOREIGN:
            assert now[path] == self.old[path]


@pytest.fixture
def reference(scene: FilesScene) -> Reference:
    return Reference(scene)


KILL = "signal=KILL"


def test_an_apply_killed_at_any_system_call_can_be_reverted_or_repeated(
    reference: Reference, traced: Traced
) -> None:
    scene = reference.scene
    points = traced.calls(scene, "apply")
    reference.is_new()
    reference.back()
    for call, n in points:
        assert traced.run(scene, "apply", f"{call}:{KILL}:when={n}") == -signal.SIGKILL, (call, n)
        reference.is_whole()
        reference.back()
        assert traced.run(scene, "apply", f"{call}:{KILL}:when={n}") == -signal.SIGKILL, (call, n)
        scene.apply(reference.undo)
        reference.is_new()
        reference.back()
        reference.back()


def test_a_revert_can_be_repeated_after_a_kill_at_any_of_its_system_calls(
    reference: Reference, traced: Traced
) -> None:
    scene = reference.scene
    scene.apply(reference.undo)
    points = traced.calls(scene, "revert")
    reference.is_old()
    for call, n in points:
        scene.apply(reference.undo)
        for _ in range(2):
            code = traced.run(scene, "revert", f"{call}:{KILL}:when={n}")
            assert code in (-signal.SIGKILL, 0), (call, n)
            reference.is_whole()
        reference.back()


def test_production_is_unchanged_after_a_kill_at_any_system_call_before_apply(
    reference: Reference, traced: Traced
) -> None:
    scene = reference.scene
    record = scene.undo_path.read_bytes()
    for call, n in _points_of_staging(scene, traced):
        shutil.rmtree(scene.state / "objects", ignore_errors=True)
        assert traced.run(scene, "stage", f"{call}:{KILL}:when={n}") == -signal.SIGKILL, (call, n)
        assert scene.undo_path.read_bytes() == record
        reference.is_old()
    assert traced.run(scene, "stage") == 0
    scene.apply(reference.undo)
    reference.is_new()


def _points_of_staging(scene: FilesScene, traced: Traced) -> list[tuple[str, int]]:
    shutil.rmtree(scene.state / "objects")
    return traced.calls(scene, "stage")


@pytest.mark.parametrize(("error", "code"), [("ENOSPC", 3), ("EIO", 4)])
def test_production_can_be_reverted_after_an_error_at_any_system_call_of_apply(
    reference: Reference, traced: Traced, error: str, code: int
) -> None:
    scene = reference.scene
    points = traced.calls(scene, "apply")
    reference.back()
    for call, n in points:
        assert traced.run(scene, "apply", f"{call}:error={error}:when={n}") == code, (call, n)
        reference.is_whole()
        reference.back()


def test_a_revert_can_be_repeated_after_an_error_at_any_of_its_system_calls(
    reference: Reference, traced: Traced
) -> None:
    scene = reference.scene
    scene.apply(reference.undo)
    points = traced.calls(scene, "revert")
    for call, n in points:
        scene.apply(reference.undo)
        # Where the second, careful way round could do it, there is no error to tell of.
        assert traced.run(scene, "revert", f"{call}:error=EIO:when={n}") in (0, 4), (call, n)
        reference.is_whole()
        reference.back()


@pytest.mark.parametrize(("error", "code"), [("ENOSPC", 3), ("EIO", 4)])
def test_production_is_unchanged_after_an_error_at_any_system_call_before_apply(
    reference: Reference, traced: Traced, error: str, code: int
) -> None:
    scene = reference.scene
    for call, n in _points_of_staging(scene, traced):
        shutil.rmtree(scene.state / "objects", ignore_errors=True)
        assert traced.run(scene, "stage", f"{call}:error={error}:when={n}") == code, (call, n)
        reference.is_old()
        assert list(scene.state.rglob("*.new")) == []


def test_the_deploy_of_the_crash_tests_adds_changes_and_removes_all_kinds_of_files(
    reference: Reference,
) -> None:
    changes = reference.changes
    assert set(changes.added) == {"turns/into", "folder/deep/inner", "fresh/b.txt"}
    assert set(changes.changed) == {"a.txt", "run.sh", "link"}
    assert set(changes.removed) == {"turns/into/file", "folder", "gone/deep/x", "shared/x"}
    before: Seen = reference.old
    assert before["a.txt"][1] == 0o4644
    assert reference.new["a.txt"][1] == 0o644
    assert reference.new["a.txt"][3:5] == (1234, 2345)
    assert "gone" not in reference.new
    assert "shared" in reference.new
