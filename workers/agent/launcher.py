"""Gives up every privilege, then becomes the agent.

A program of its own, standard library only: `launcher.py SPEC COMMAND...`. SPEC is JSON: `uid`,
`gid`; `processes`, how many more the user may have; `stdin`, a descriptor or null; `probe`: null
to become the command, else what to look at as that user (`cwd`, `write`, `sockets`), whose first
flaw is printed as JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST = 19
_OUT_OF_MEMORY_FIRST = b"500"
_NOT_STARTED = 127
_libc = ctypes.CDLL(None, use_errno=True)


def main(spec: dict[str, Any], command: list[str]) -> int:
    """Does what the specification says; comes back from a probe alone, or where that failed."""
    parent = os.getppid()
    if spec["stdin"] is not None:
        os.dup2(spec["stdin"], 0)
    _limit(spec["uid"], spec["processes"])
    os.umask(0o022)
    _become(spec["uid"], spec["gid"])
    if spec["probe"] is not None:
        print(json.dumps(_flaw(spec["probe"], command[0])))
        return 0
    # The kernel forgets this when the user changes.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        return _NOT_STARTED
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python itself
        signal.signal(ignored, signal.SIG_DFL)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
    return _NOT_STARTED


def _limit(uid: int, processes: int) -> None:
    """No core dumps, so many processes more than the user has; first to go where memory ends, and
    last to run: whoever ends a horde of them needs the processor himself."""
    os.setpriority(os.PRIO_PROCESS, 0, _LAST)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_NPROC)
    wanted = _tasks_of(uid) + processes
    if most == resource.RLIM_INFINITY or wanted < most:
        resource.setrlimit(resource.RLIMIT_NPROC, (wanted, wanted))
    with suppress(OSError):
        handle = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(handle, _OUT_OF_MEMORY_FIRST)
        os.close(handle)


def _tasks_of(uid: int) -> int:
    """How many threads the user has: the limit counts them all, wherever they were started."""
    count = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if os.stat(f"/proc/{name}").st_uid == uid:
                count += len(os.listdir(f"/proc/{name}/task"))
    return count


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    # Inheritable ones stay when the user changes: two words each of effective, permitted, those.
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _libc.capset(header, (ctypes.c_uint32 * 6)())
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    # As bytes: Python's own folder may be closed to this user by now, its codecs with it.
    with open("/proc/self/status", "rb") as file:
        held = [
            line.split()[1]
            for line in file
            if line.startswith(b"Cap") and not line.startswith(b"CapBnd")
        ]
    left = any(int(value, 16) for value in held)
    if left or 0 in (*os.getresuid(), *os.getresgid()) or os.getgroups():
        raise SystemExit("privileges are left")


def _flaw(probe: dict[str, Any], program: str) -> dict[str, str]:
    """The first thing that is not as it has to be, as `{"what", "path"}`."""
    for socket in probe["sockets"]:
        if os.access(socket, os.W_OK):
            return {"what": "socket", "path": socket}
    for folder in (probe["cwd"], os.environ["HOME"]):
        closed = _closed(folder)
        if closed:
            return {"what": "folder", "path": closed}
    if probe["write"] and not os.access(probe["cwd"], os.R_OK | os.W_OK | os.X_OK):
        return {"what": "write", "path": probe["cwd"]}
    return _program_flaw(os.path.join(probe["cwd"], program) if "/" in program else program)


def _closed(path: str) -> str | None:
    """The first folder on the way to `path`, itself included, that cannot be passed."""
    folders = [path]
    while folders[-1] != "/":
        folders.append(os.path.dirname(folders[-1]))
    return next((f for f in reversed(folders) if not os.access(f, os.X_OK)), None)


def _program_flaw(program: str) -> dict[str, str]:
    if "/" in program:
        closed = _closed(os.path.dirname(program))
        if closed:
            return {"what": "folder", "path": closed}
        found = [program]
    else:
        found = [os.path.join(folder, program) for folder in os.environ["PATH"].split(":")]
    usable = any(os.path.isfile(path) and os.access(path, os.X_OK) for path in found)
    return {} if usable else {"what": "program", "path": program}


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), sys.argv[2:]))
