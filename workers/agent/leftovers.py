"""Kills processes of an agent's run whose worker and supervisor were both killed."""

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
    """Kill every process of the user whose environment contains the run's id; takes at most about
    2.5 s.

    Processes that survive are logged, since nothing else could end them either.
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
    """Kill the process, unless its pid now belongs to another process (pidfd_open(2))."""
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            if _is_of(str(pid), mark, uid):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)
