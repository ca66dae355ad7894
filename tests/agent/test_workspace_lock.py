"""The lock of a workspace: exclusive or shared, and a holder that is paused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.waiting import eventually
from workers.state.workspace_lock import lock_path, workspace_lock

WORKSPACE = Path("/some/workspace")
_HOLDER = """
import sys, time
from pathlib import Path
from workers.state.workspace_lock import workspace_lock
with workspace_lock(Path(sys.argv[1]), Path(sys.argv[2]), lambda: None,
                    shared=sys.argv[3] == "shared", holder="agent 01X of anna (console)"):
    print("held", flush=True)
    sys.stdin.readline()
print("released", flush=True)
time.sleep(60)
"""


@contextmanager
def holder(state: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    """Return another process that holds the lock."""
    words = [sys.executable, "-c", _HOLDER, str(state), str(WORKSPACE), how]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        try:
            yield other
        finally:
            other.kill()


class Clock:
    """A clock that advances whenever something waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def pause(self, _seconds: float) -> None:
        self.now += 1.0


def take(state: Path, *, shared: bool = False, notice: float = 8.0) -> None:
    clock = Clock()
    with workspace_lock(
        state, WORKSPACE, _go_on, shared=shared, notice=notice,
        monotonic=clock.monotonic, pause=clock.pause,
    ):  # fmt: skip
        pass


def _go_on() -> None:
    pass


def test_a_deploy_refused_for_a_locked_workspace_names_the_job_that_holds_the_lock(
    tmp_path: Path,
) -> None:
    with holder(tmp_path, "alone"):
        with pytest.raises(ScarError, match=r"agent 01X of anna \(console\)") as caught:
            take(tmp_path, shared=True)
        assert caught.value.code == "busy"
    take(tmp_path, shared=True)


def test_shared_holders_of_the_workspace_lock_exclude_only_exclusive_ones(tmp_path: Path) -> None:
    with holder(tmp_path, "shared") as other:
        take(tmp_path, shared=True)
        with pytest.raises(ScarError) as caught:
            take(tmp_path)
        assert caught.value.code == "busy"
        assert other.poll() is None


def test_a_stopped_process_that_holds_the_workspace_is_killed(tmp_path: Path) -> None:
    with holder(tmp_path, "alone") as other:
        other.send_signal(signal.SIGSTOP)
        with workspace_lock(tmp_path, WORKSPACE, _go_on, notice=0.2):
            assert other.wait(5) == -signal.SIGKILL


def test_a_process_that_released_the_workspace_lock_is_not_killed(tmp_path: Path) -> None:
    """Its name is no longer in the lock file; and even if it were, the kernel shows that it does
    not hold the lock.
    """
    with holder(tmp_path, "alone") as once:
        path = lock_path(tmp_path, WORKSPACE)
        signature = path.read_bytes()
        assert once.stdin
        assert once.stdout
        once.stdin.write("\n")
        once.stdin.flush()
        assert once.stdout.readline() == "released\n"
        assert path.read_bytes() == b""
        with holder(tmp_path, "shared"):
            path.write_bytes(signature)
            with pytest.raises(ScarError):
                take(tmp_path)
            assert once.poll() is None


def test_the_workspace_lock_is_released_when_its_holder_is_killed(tmp_path: Path) -> None:
    with holder(tmp_path, "alone") as other:
        os.kill(other.pid, signal.SIGKILL)
        eventually(lambda: other.poll() is not None)
        take(tmp_path)


def test_waiting_for_the_workspace_can_be_cancelled(tmp_path: Path) -> None:
    def cancelled() -> None:
        raise ScarError("cancelled", "Cancelled", "")

    with (
        holder(tmp_path, "alone"),
        pytest.raises(ScarError, match="Cancelled"),
        workspace_lock(tmp_path, WORKSPACE, cancelled),
    ):
        pass
