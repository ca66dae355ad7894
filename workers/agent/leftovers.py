"""Processes of a run whose worker and supervisor were both killed."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from time import sleep

import structlog

_TRIES = 50
_PAUSE_SECONDS = 0.05
_log = structlog.get_logger(__name__)


def kill_leftovers(run: str, uid: int) -> None:
    """Kill every process of the user whose environment names the run, for about 2.5 s at most.

    Processes that are left after that are logged: nobody else can end them either.
    """
    mark = f"AGENT_RUN={run}".encode()
    for _ in range(_TRIES):
        pids = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if _is_of(pid, mark, uid)]
        if not pids:
            return
        for pid in pids:
            _kill(int(pid), mark, uid)
        sleep(_PAUSE_SECONDS)
    _log.warning("an agent's processes are left", run=run)


def _is_of(pid: str, mark: bytes, uid: int) -> bool:
    folder = Path("/proc") / pid
    with suppress(OSError):
        if folder.stat().st_uid == uid:
            return mark in (folder / "environ").read_bytes().split(b"\0")
    return False


def _kill(pid: int, mark: bytes, uid: int) -> None:
    """Kill the process, unless the kernel has given its pid to another one (pidfd_open(2))."""
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            if _is_of(str(pid), mark, uid):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)
