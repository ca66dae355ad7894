"""Drops every privilege, then replaces itself by the agent with `exec`.

A separate program that imports only the standard library: `launcher.py SPEC COMMAND...`, where SPEC
is a `LaunchSpec`. If SPEC contains a probe, the launcher does not run the command, but prints as
JSON the first `Flaw` that prevents the agent's user from running it, or `null`.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import stat
import sys
from contextlib import suppress
from typing import Literal, NamedTuple

# linux/prctl.h and linux/capability.h
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_LOWEST_PRIORITY = 19
_OOM_SCORE = b"500"
_NOT_STARTED = 127
_libc = ctypes.CDLL(None, use_errno=True)


class Probe(NamedTuple):
    """What to check: the workspace `cwd`, whether to write in it, sockets to be out of reach, and
    files that must not be the user's to write or replace.
    """

    cwd: str
    write: bool
    sockets: tuple[str, ...]
    kept: tuple[str, ...]


class LaunchSpec(NamedTuple):
    """The user to switch to, and what to do as that user.

    `processes` is how many processes and threads may be added to those that the user already has.
    `stdin` is an inherited descriptor to use as standard input; None keeps the launcher's.
    """

    uid: int
    gid: int
    processes: int
    stdin: int | None
    probe: Probe | None

    def to_json(self) -> str:
        """Return the specification as the JSON argument SPEC."""
        return json.dumps({**self._asdict(), "probe": self.probe and self.probe._asdict()})

    @classmethod
    def from_json(cls, text: str) -> LaunchSpec:
        """Parse the argument SPEC."""
        values = json.loads(text)
        probe = values.pop("probe")
        return cls(**values, probe=probe and Probe(**probe))


class Flaw(NamedTuple):
    """A reason why the agent cannot, or must not, be run.

    `socket`: it could open the socket. `kept`: it could write there, and so replace a file that it
    must not. `folder`: it cannot pass through the folder. `write`: it cannot write in the
    workspace. `program`: it finds no such program.
    """

    kind: Literal["socket", "kept", "folder", "write", "program"]
    path: str


def main(spec: LaunchSpec, command: list[str]) -> int:
    """Switch to the user, then run the command. Return an exit code only after a probe or a
    failure.

    The kernel kills the command when its parent process ends (PR_SET_PDEATHSIG, prctl(2)).
    """
    parent = os.getppid()
    if spec.stdin is not None:
        os.dup2(spec.stdin, 0)
    _set_limits(spec.uid, spec.processes)
    os.umask(0o022)
    _become(spec.uid, spec.gid)
    if spec.probe is not None:
        print(json.dumps(_flaw(spec.probe, command[0])))
        return 0
    # Only after the change of user, which clears this setting in the kernel.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        return _NOT_STARTED
    # Python ignores both signals, and exec would keep them ignored.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
    return _NOT_STARTED


def _set_limits(uid: int, processes: int) -> None:
    """Disable core dumps, limit the number of processes, and lower the priority.

    The lowest CPU priority leaves the supervisor enough time to kill a fork bomb. The OOM score
    makes the kernel kill the agent first when memory runs out, see proc_pid_oom_score_adj(5).
    """
    os.setpriority(os.PRIO_PROCESS, 0, _LOWEST_PRIORITY)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    limit = _threads_of(uid) + processes
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
    with suppress(OSError):
        handle = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(handle, _OOM_SCORE)
        os.close(handle)


def _threads_of(uid: int) -> int:
    """Return how many threads the user has; RLIMIT_NPROC counts all of them, see getrlimit(2)."""
    count = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if os.stat(f"/proc/{name}").st_uid == uid:
                count += len(os.listdir(f"/proc/{name}/task"))
    return count


def _become(uid: int, gid: int) -> None:
    """Switch to the user, without supplementary groups, without capabilities and without a way to
    gain any.

    See capabilities(7) and PR_SET_NO_NEW_PRIVS in prctl(2). Exits if any privilege remains.
    """
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    # A change of user keeps the inheritable capabilities. capset(2), version 3, clears the
    # effective, permitted and inheritable sets, each in two 32-bit halves.
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _libc.capset(header, (ctypes.c_uint32 * 6)())
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if _has_capabilities() or 0 in (*os.getresuid(), *os.getresgid()) or os.getgroups():
        raise SystemExit("privileges are left")


def _has_capabilities() -> bool:
    # As bytes: for decoding, Python might import a codec from a folder that this user cannot read.
    with open("/proc/self/status", "rb") as file:
        lines = [line for line in file if line.startswith(b"Cap")]
    # The bounding set (CapBnd) grants nothing under no_new_privs, so it may stay.
    return any(int(line.split()[1], 16) for line in lines if not line.startswith(b"CapBnd"))


def _flaw(probe: Probe, program: str) -> Flaw | None:
    """Return the first reason why the current user cannot, or must not, run the program; None
    without one.
    """
    for socket in probe.sockets:
        if os.access(socket, os.W_OK):
            return Flaw("socket", socket)
    for path in probe.kept:
        writable = _writable_place(path)
        if writable:
            return Flaw("kept", writable)
    for folder in (probe.cwd, os.environ["HOME"]):
        closed = _closed_folder(folder)
        if closed:
            return Flaw("folder", closed)
    if probe.write and not os.access(probe.cwd, os.R_OK | os.W_OK | os.X_OK):
        return Flaw("write", probe.cwd)
    return _program_flaw(os.path.join(probe.cwd, program) if "/" in program else program)


def _writable_place(path: str) -> str | None:
    """Return the file, or the first folder above it, that this user owns or can write to.

    In a sticky folder (/tmp) nobody can replace what belongs to somebody else.
    """
    replaceable = True
    while True:
        try:
            status = os.lstat(path)
        except OSError:
            replaceable = True
        else:
            sticky = bool(status.st_mode & stat.S_ISVTX) and not replaceable
            link = stat.S_ISLNK(status.st_mode)
            if status.st_uid == os.geteuid():
                return path
            if not link and not sticky and os.access(path, os.W_OK):
                return path
            replaceable = False
        if path == "/":
            return None
        path = os.path.dirname(path)


def _closed_folder(path: str) -> str | None:
    """Return the first folder on the path from `/` down that the current user cannot enter."""
    folders = [path]
    while folders[-1] != "/":
        folders.append(os.path.dirname(folders[-1]))
    return next((f for f in reversed(folders) if not os.access(f, os.X_OK)), None)


def _program_flaw(program: str) -> Flaw | None:
    if "/" in program:
        closed = _closed_folder(os.path.dirname(program))
        if closed:
            return Flaw("folder", closed)
        candidates = [program]
    else:
        candidates = [os.path.join(folder, program) for folder in os.environ["PATH"].split(":")]
    usable = any(os.path.isfile(path) and os.access(path, os.X_OK) for path in candidates)
    return None if usable else Flaw("program", program)


if __name__ == "__main__":
    sys.exit(main(LaunchSpec.from_json(sys.argv[1]), sys.argv[2:]))
