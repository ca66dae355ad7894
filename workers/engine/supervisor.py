"""Runs one command, and kills everything it started when the calling process ends.

A separate program, started by `process`: `supervisor.py COMMAND...`, or
`supervisor.py --reads N PATH... COMMAND...` with N paths to confine it to. It imports only the
standard library, and little of it: `subprocess` alone would double the 20 ms that it takes.
Its standard input is a pipe whose other end only the caller holds. A byte on it means "interrupt";
its end, which also follows a `kill -9` of the caller, means "kill". When the command has ended, its
descendants are killed too: the kernel reparents orphans to this process (PR_SET_CHILD_SUBREAPER),
which kills and reaps them, and then exits with the command's code.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PAUSE_SECONDS = 0.005
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)
_libc = ctypes.CDLL(None, use_errno=True)


def main(command: list[str], reads: list[str] | None = None) -> int:
    """Run `command` in its own process group; return its exit code, or 128 + n after signal n.

    With `reads` it is confined to reading these paths.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    child = _start(command, reads)
    exited = os.pidfd_open(child)
    os.set_inheritable(exited, False)
    while select.select([0, exited], [], [])[0] != [exited]:
        if not os.read(0, 1):
            break
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGINT)
    # The kernel does not reuse the group's number before its leader is reaped.
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _end_orphans()
    return code if code >= 0 else 128 - code


def _start(command: list[str], reads: list[str] | None) -> int:
    """Return the process of the command, which leads its own group by then."""
    started, closed_by_exec = os.pipe()
    child = os.fork()
    if child == 0:
        _become(command, reads)
    os.close(closed_by_exec)
    os.read(started, 1)
    os.close(started)
    return child


def _become(command: list[str], reads: list[str] | None) -> None:
    """Run the command in this process, in a session of its own.

    It inherits the descriptors that the caller passed, such as a lock, and no standard input.
    """
    try:
        os.setsid()
        for number in (*_SIGNALS, signal.SIGXFSZ):  # Python ignores SIGXFSZ
            signal.signal(number, signal.SIG_DFL)
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        if reads is not None:
            _confine(reads, command[0])
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _confine(reads: list[str], program: str) -> None:
    """Confine this process. The module is imported here because most commands do not need it."""
    sys.path.append(os.path.abspath(f"{__file__}/../../.."))
    from workers.engine.confinement import confine

    confine(reads, program)


def _end_orphans() -> None:
    """Kill and reap every descendant, even if they fork faster than they can be killed.

    Descendants are stopped until no new one appears, then killed, and reaped as the kernel
    reparents them.
    """
    while _reap():
        stopped: set[int] = set()
        while fresh := [(pid, parent) for pid, parent in _descendants() if pid not in stopped]:
            for pid, parent in fresh:
                _signal(pid, parent, signal.SIGSTOP)
                stopped.add(pid)
        for pid, parent in _descendants():
            _signal(pid, parent, signal.SIGKILL)
        time.sleep(_PAUSE_SECONDS)


def _reap() -> bool:
    """Reap the children that have ended; return False once there are no children."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return False
    return True


def _descendants() -> list[tuple[int, int]]:
    """Return every descendant of this process, with its parent."""
    descendants: list[tuple[int, int]] = []
    waiting = [os.getpid()]
    while waiting:
        parent = waiting.pop()
        children = _children(parent)
        descendants += [(pid, parent) for pid in children]
        waiting += children
    return descendants


def _children(pid: int) -> list[int]:
    """Return the children of all threads of a process."""
    children: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as listing:
                children += [int(child) for child in listing.read().split()]
    return children


def _signal(pid: int, parent: int, number: int) -> None:
    """Send a signal to a child of `parent`, unless its pid now belongs to another process."""
    with suppress(OSError):
        handle = os.pidfd_open(pid)
        try:
            with open(f"/proc/{pid}/stat", errors="replace") as file:
                actual = int(file.read().rpartition(")")[2].split()[1])
            if actual == parent:
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--reads"]:
        _paths = 3 + int(sys.argv[2])
        sys.exit(main(sys.argv[_paths:], sys.argv[3:_paths]))
    sys.exit(main(sys.argv[1:]))
