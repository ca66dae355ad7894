"""Only one job changes a project on a host at a time, even if its worker is killed or paused."""

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
from workers.state.host_lock import HostLock, LockOwner, taken_if_free

_HOLDER = """
import sys
from pathlib import Path
from workers.state.project_lock import project_lock
with project_lock(Path(sys.argv[1]), lambda: None):
    print("held", flush=True)
    sys.stdin.readline()
print("released", flush=True)
sys.stdin.readline()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is sent a line."""
    words = [sys.executable, "-c", _HOLDER, str(folder)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        try:
            yield other
        finally:
            other.kill()


def lock_in(folder: Path) -> HostLock:
    return HostLock(folder / "lock", busy, patience=2.0, notice=0.2)


def busy(owner: LockOwner) -> ScarError:
    return ScarError("busy", f"Held by {owner}", "Wait.")


def go_on() -> None:
    """Never cancel."""


def test_a_paused_worker_that_holds_a_lock_is_killed_by_the_next(tmp_path: Path) -> None:
    with holder(tmp_path) as other:
        other.send_signal(signal.SIGSTOP)
        with lock_in(tmp_path).exclusive(go_on):
            assert other.wait(5) == -signal.SIGKILL


def test_a_paused_worker_of_an_earlier_version_that_holds_the_lock_is_killed(
    tmp_path: Path,
) -> None:
    with holder(tmp_path) as other:
        started = Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19]
        (tmp_path / "lock").write_text(f"{other.pid} {started}")
        with lock_in(tmp_path).exclusive(go_on):
            assert other.wait(5) == -signal.SIGKILL


def test_a_worker_that_has_released_the_lock_is_not_killed(tmp_path: Path) -> None:
    """Even where its signature is still in the file while a child of it holds the lock."""
    with holder(tmp_path) as other:
        signature = (tmp_path / "lock").read_bytes()
        assert other.stdin
        assert other.stdout
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.stdout.readline() == "released\n"
        with lock_in(tmp_path).shared(go_on):
            (tmp_path / "lock").write_bytes(signature)
            with pytest.raises(ScarError, match="Held by"), lock_in(tmp_path).exclusive(go_on):
                pass
        assert other.poll() is None


def test_a_lock_is_held_until_the_last_child_of_its_holder_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock_in(tmp_path).exclusive(go_on) as handle:
        child = subprocess.Popen(["sleep", "60"], pass_fds=(handle,))
    try:
        with taken_if_free(path) as free:
            assert not free
    finally:
        child.kill()
        child.wait()
    with taken_if_free(path) as free:
        assert free
    with taken_if_free(tmp_path / "none") as free:
        assert not free
    assert not os.path.exists(tmp_path / "none")
