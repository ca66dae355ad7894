"""Who works in a workspace on this host, held by the kernel.

Alone: a coding agent, its undoing, an update by Git. Together: deploys, while they read it. A lock
is freed when its holder and what that started have ended, and never before. Who waits to be alone
waits for one that has lost its job, where that has the workspace alone: it gets time to notice, and
is then killed, since it may be stopped and would go on whenever it is woken. Those who read are
waited for.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from scar.errors import ScarError
from workers.agent.handover import take_back
from workers.files.failures import file_errors

_POLL = 0.1
_PATIENCE = {False: 30.0, True: 5.0}
_log = structlog.get_logger(__name__)


@contextmanager
def workspace_lock(
    state_dir: Path,
    workspace: Path,
    check: Callable[[], None],
    *,
    shared: bool = False,
    holder: str = "",
    notice: float = 8.0,
    monotonic: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[int]:
    """Holds the workspace, alone unless `shared`; yields the lock's file descriptor.

    `holder` says who that is, for those who find it taken: they wait 30 seconds (5 to read) and
    then raise `busy`; `check` may end the wait sooner. Files that a killed holder had handed over
    to an agent's user are taken back before it is held alone.
    """
    path = lock_path(state_dir, workspace)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        begun = monotonic()
        while not _taken(handle, shared):
            check()
            waited = monotonic() - begun
            if not shared and waited > notice:
                _kill_holder(handle)
            if waited > _PATIENCE[shared]:
                raise _busy(handle, workspace)
            pause(_POLL)
        if shared:
            yield handle
            return
        with file_errors(str(path)):
            _sign(handle, holder)
        try:
            take_back(handover_note(path))
            yield handle
        finally:
            # This process goes on to other things: nobody may take it for the holder then.
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def lock_path(state_dir: Path, workspace: Path) -> Path:
    """The lock's file; what belongs to the workspace alone is kept beside it."""
    name = hashlib.sha256(os.fsencode(workspace)).hexdigest()
    return state_dir / "workspaces" / name


def handover_note(lock: Path) -> Path:
    """Where it is noted that files of the workspace are an agent's for a while."""
    return lock.with_name(f"{lock.name}.handed-over")


def _taken(handle: int, shared: bool) -> bool:
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _busy(handle: int, workspace: Path) -> ScarError:
    holder = _signature(handle)[2] or "something that an earlier job started"
    return ScarError(
        "busy",
        f"The workspace {workspace} is held by {holder}",
        "Wait until it has ended, or cancel it; /jobs shows how far it is.",
    )


def _sign(handle: int, holder: str) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps([os.getpid(), _started(os.getpid()), holder]).encode(), 0)


def _signature(handle: int) -> tuple[int, str | None, str]:
    """Process, when it began, and who it works for; zero where nobody has signed."""
    try:
        pid, started, holder = json.loads(os.pread(handle, 4096, 0))
    except ValueError:
        return 0, None, ""
    return int(pid), started, str(holder)


def _kill_holder(handle: int) -> None:
    """Kills the process that signed, if it is that one still and has the lock for itself."""
    pid, started, _ = _signature(handle)
    if pid in (0, os.getpid()) or _started(pid) != started or not _holds_alone(pid, handle):
        return
    _log.warning("holder of the workspace killed: it has lost its job", pid=pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _holds_alone(pid: int, handle: int) -> bool:
    """Whether the kernel lists an exclusive lock among the process's open files; proc(5)."""
    wanted = os.fstat(handle)
    folder = Path(f"/proc/{pid}")
    with contextlib.suppress(OSError):
        for entry in os.listdir(folder / "fd"):
            with contextlib.suppress(OSError):
                found = os.stat(folder / "fd" / entry)
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    locks = (folder / "fdinfo" / entry).read_text()
                    return "FLOCK" in locks and "WRITE" in locks
    return False


def _started(pid: int) -> str | None:
    """When a process began, in the kernel's ticks: with the pid, it names the process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]
