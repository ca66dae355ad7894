"""Runs one command and lets nothing of it outlive whoever asked for it.

A program of its own, started by `process`: `supervisor.py COMMAND...`, standard library only.
Its standard input is a pipe that only the caller holds. A byte on it means "interrupt"; its end,
which also comes when the caller is killed by `kill -9`, means "kill". When the command has ended,
for whatever reason, so has everything it started: orphans are handed to this process by the kernel
(PR_SET_CHILD_SUBREAPER), are killed and reaped, and only then does it exit, with the command's
code.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PAUSE = 0.005
_libc = ctypes.CDLL(None, use_errno=True)


def main(command: list[str]) -> int:
    """Runs `command` in a process group of its own; returns its exit code, 128 + n for signal n."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        close_fds=False,  # what the caller passed on (a lock) is for the command
        preexec_fn=_as_a_child,
    )
    ended = os.pidfd_open(child.pid)
    os.set_inheritable(ended, False)
    while select.select([0, ended], [], [])[0] != [ended]:
        if not os.read(0, 1):
            break
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGINT)
    # While the leader is not reaped its number cannot be another group's.
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    code = child.wait()
    _end_orphans()
    return code if code >= 0 else 128 - code


def _as_a_child() -> None:
    for restored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(restored, signal.SIG_DFL)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_orphans() -> None:
    """Ends everything that descends from this process, also what forks faster than it is killed:
    it is stopped until nothing is new, then killed, and reaped as the kernel hands it over.
    """
    while _reap():
        stopped: set[int] = set()
        while fresh := [(pid, above) for pid, above in _descendants() if pid not in stopped]:
            for pid, above in fresh:
                _signal(pid, above, signal.SIGSTOP)
                stopped.add(pid)
        for pid, above in _descendants():
            _signal(pid, above, signal.SIGKILL)
        time.sleep(_PAUSE)


def _reap() -> bool:
    """Takes leave of the children that have ended; False where there are none any more."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return False
    return True


def _descendants() -> list[tuple[int, int]]:
    """Every process below this one, with its parent."""
    found: list[tuple[int, int]] = []
    waiting = [os.getpid()]
    while waiting:
        above = waiting.pop()
        below = _children(above)
        found += [(pid, above) for pid in below]
        waiting += below
    return found


def _children(pid: int) -> list[int]:
    """The children of all its threads."""
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as listed:
                found += [int(child) for child in listed.read().split()]
    return found


def _signal(pid: int, above: int, number: int) -> None:
    """Sends it to that child of `above`; its number may have become another process's."""
    with suppress(OSError):
        handle = os.pidfd_open(pid)
        try:
            with open(f"/proc/{pid}/stat", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            if parent == above:
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
