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
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
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
    """Kills what the kernel hands over, generation after generation, until nothing is left."""
    while True:
        for pid in _children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    path = f"/proc/self/task/{os.getpid()}/children"
    with open(path, encoding="ascii") as listed:
        return [int(pid) for pid in listed.read().split()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
