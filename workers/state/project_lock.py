"""One changing job per project on this host, held by the kernel.

A lease on Redis tells others who works; this lock is what fences: the kernel frees it when its
holder dies and never before, and the commands a job starts inherit it, so that nobody begins while
an orphan of a killed worker still runs. Who holds the lease and waits for the lock waits for one
that has lost the lease: it gets time to notice, and is then killed, since it may be stopped and
would go on working whenever it is woken.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from scar.errors import ScarError
from workers.files.failures import file_errors

_POLL = 0.1
_log = structlog.get_logger(__name__)


@contextmanager
def project_lock(
    folder: Path,
    check: Callable[[], None],
    *,
    patience: float = 30.0,
    notice: float = 8.0,
    monotonic: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[int]:
    """Holds the lock of the project whose state is in `folder`; yields its file descriptor.

    A holder that has not let go after `notice` seconds is killed. Raises `busy` after `patience`
    seconds; `check` may end the wait sooner.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        begun = monotonic()
        while not _taken(handle):
            check()
            waited = monotonic() - begun
            if waited > notice:
                _kill_holder(handle)
            if waited > patience:
                raise ScarError(
                    "busy",
                    "Something that an earlier job started still works on this project",
                    "Wait for it to end; `ps` on the host shows a running `docker compose`.",
                )
            pause(_POLL)
        with file_errors(str(folder / "lock")):
            _sign(handle)
        yield handle
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(handle: int) -> None:
    """Notes in the lock file whose lock it is."""
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()} {_started(os.getpid())}".encode(), 0)


def _kill_holder(handle: int) -> None:
    """Kills the process that signed, if it is that one still."""
    words = os.pread(handle, 100, 0).decode("ascii", "replace").split()
    if len(words) == 2 and words[0].isdigit() and int(words[0]) != os.getpid():
        pid = int(words[0])
        if _started(pid) == words[1]:
            _log.warning("holder of the project killed: it has lost its job", pid=pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _started(pid: int) -> str | None:
    """When a process began, in the kernel's ticks: with the pid, it names the process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]
