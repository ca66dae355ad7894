"""An exclusive or shared lock between processes of one host: flock(2) on a file.

The kernel releases the lock only when the holder and all children that inherited the descriptor
have exited. Unlike the lease on Redis, it therefore keeps out a second worker reliably. A process
that waits has claimed the same work, so the holder has lost its lease: the holder gets `notice`
seconds to stop, and is then killed with SIGKILL, because a paused process would otherwise go on
writing when it is resumed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from scar.errors import ScarError
from workers.files.durable import open_own
from workers.files.failures import file_errors

POLL_SECONDS = 0.1
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LockOwner:
    """The process that holds a lock exclusively, as written in the lock's file: its pid, its
    start time in kernel ticks, and the job it works for (empty if unknown). `pid` is 0 if the
    file names no process.
    """

    pid: int = 0
    started: str | None = None
    holder: str = ""


@dataclass(frozen=True)
class HostLock:
    """The lock whose file is `path`. `busy` creates the error that is raised when a wait fails.

    A wait takes at most `patience` seconds. An exclusive holder is killed after `notice` seconds,
    but only by a process that waits for the exclusive lock; shared holders are never killed.
    """

    path: Path
    busy: Callable[[LockOwner], ScarError]
    patience: float
    notice: float
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    @contextmanager
    def exclusive(self, check: Callable[[], None], holder: str = "") -> Iterator[int]:
        """Hold the lock exclusively and yield its descriptor. Waiting processes can read `holder`
        in the file.

        `check` may raise to end the wait.
        """
        with self._opened() as handle:
            self._wait(handle, fcntl.LOCK_EX, check)
            with file_errors(str(self.path)):
                _sign(handle, holder)
            try:
                yield handle
            finally:
                # This process continues with other jobs, and must no longer be taken for the lock's
                # holder.
                os.ftruncate(handle, 0)

    @contextmanager
    def shared(self, check: Callable[[], None]) -> Iterator[int]:
        """Hold the lock together with other processes that share it, and yield its descriptor."""
        with self._opened() as handle:
            self._wait(handle, fcntl.LOCK_SH, check)
            yield handle

    @contextmanager
    def _opened(self) -> Iterator[int]:
        with file_errors(str(self.path)):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = open_own(self.path, os.O_RDWR | os.O_CREAT)
        try:
            yield handle
        finally:
            os.close(handle)

    def _wait(self, handle: int, mode: int, check: Callable[[], None]) -> None:
        begun = self.monotonic()
        while not _take(handle, mode):
            check()
            waited = self.monotonic() - begun
            if mode == fcntl.LOCK_EX and waited > self.notice:
                self._kill_owner(handle)
            if waited > self.patience:
                raise self.busy(_owner(handle))
            self.pause(POLL_SECONDS)

    def _kill_owner(self, handle: int) -> None:
        """Kill the process named in the file, if it is still the same process and holds the lock
        exclusively.
        """
        owner = _owner(handle)
        if owner.pid in (0, os.getpid()) or _start_time(owner.pid) != owner.started:
            return
        if not _holds_exclusively(owner.pid, handle):
            return
        _log.warning(
            "holder of a lock killed: it has lost its job", pid=owner.pid, lock=str(self.path)
        )
        with contextlib.suppress(ProcessLookupError):
            os.kill(owner.pid, signal.SIGKILL)


@contextmanager
def taken_if_free(path: Path) -> Iterator[bool]:
    """Try to take a lock without waiting, and yield whether that succeeded; False also if the file
    does not exist.
    """
    try:
        handle = open_own(path, os.O_RDWR)
    except OSError:
        yield False
        return
    try:
        yield _take(handle, fcntl.LOCK_EX)
    finally:
        os.close(handle)


def owner_if_held(path: Path) -> LockOwner | None:
    """Return the process that holds the lock exclusively; None if there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        return None if _take(handle, fcntl.LOCK_SH) else _owner(handle)
    finally:
        os.close(handle)


def _take(handle: int, mode: int) -> bool:
    try:
        fcntl.flock(handle, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(handle: int, holder: str) -> None:
    os.ftruncate(handle, 0)
    signature = [os.getpid(), _start_time(os.getpid()), holder]
    os.pwrite(handle, json.dumps(signature).encode(), 0)


def _owner(handle: int) -> LockOwner:
    """Parse the owner in the file. For a project's lock, an earlier version wrote `PID START`."""
    text = os.pread(handle, 4096, 0).decode(errors="replace")
    try:
        pid, started, holder = json.loads(text)
    except ValueError:
        words = text.split()
        plain = len(words) == 2 and words[0].isdigit()
        return LockOwner(int(words[0]), words[1]) if plain else LockOwner()
    return LockOwner(int(pid), started, str(holder))


def _holds_exclusively(pid: int, handle: int) -> bool:
    """Return whether the kernel lists an exclusive lock among the process's open files; see
    proc(5).
    """
    lock = os.fstat(handle)
    folder = Path(f"/proc/{pid}")
    with contextlib.suppress(OSError):
        for entry in os.listdir(folder / "fd"):
            with contextlib.suppress(OSError):
                status = os.stat(folder / "fd" / entry)
                if (status.st_dev, status.st_ino) == (lock.st_dev, lock.st_ino):
                    locks = (folder / "fdinfo" / entry).read_text()
                    return "FLOCK" in locks and "WRITE" in locks
    return False


def _start_time(pid: int) -> str | None:
    """Return the start time of a process in kernel ticks; together with the pid, it identifies a
    process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]
