"""Confines this process, and the programs that it executes, to what reading a Compose file needs.

It has no capability, reads only named files and folders, writes nothing, and opens no socket, so
that it reaches neither the network nor the Engine. See landlock(7), seccomp(2) and capabilities(7).
The supervisor imports this, so only the standard library is imported here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
from collections.abc import Sequence

# linux/prctl.h, linux/capability.h
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_CAPABILITY_VERSION_3 = 0x20080522
# linux/landlock.h: the numbers of the calls are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_ACCESS_OF_VERSION = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF}
_ALWAYS_READ = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/dev/null")
# linux/bpf_common.h, linux/seccomp.h: load a word, jump where equal or not less, return.
_LOAD, _IF_EQUAL, _IF_NOT_LESS, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES
_X32_CALLS = 0x40000000
_IO_URING_SETUP = 425
_SOCKET_CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""AUDIT_ARCH and the number of socket(2)."""

_libc = ctypes.CDLL(None, use_errno=True)


def confine(reads: Sequence[str], program: str) -> None:
    """Confine this process irrevocably: it may read the paths `reads` and execute `program`.
    Restrictions that the kernel does not support are left out; `missing_confinement` names them.
    """
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if landlock_version() > 0:
        _restrict_files((*reads, os.path.realpath(program), *_ALWAYS_READ))
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    if _libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    if os.uname().machine in _SOCKET_CALLS:
        _refuse_sockets(*_SOCKET_CALLS[os.uname().machine])


def missing_confinement() -> str | None:
    """Return which restrictions this host cannot impose; None if it can impose all."""
    if not sys.platform.startswith("linux") or landlock_version() <= 0:
        return "files"
    return None if os.uname().machine in _SOCKET_CALLS else "network"


def landlock_version() -> int:
    """Return the kernel's version of Landlock; 0 or less if it is missing or disabled."""
    return int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _GET_VERSION))


def _restrict_files(paths: Sequence[str]) -> None:
    version = landlock_version()
    handled = struct.pack("=Q", _ACCESS_OF_VERSION[min(version, max(_ACCESS_OF_VERSION))])
    rules = _libc.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    if rules < 0:
        raise OSError(ctypes.get_errno(), "landlock")
    for path in paths:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # some systems lack some of these paths
        access = _EXECUTE | _READ_FILE
        if stat.S_ISDIR(os.fstat(place).st_mode):
            access |= _READ_DIR
        elif path == os.devnull:
            access = _READ_FILE | _WRITE_FILE
        rule = struct.pack("=Qi", access, place)
        if _libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0) != 0:
            raise OSError(ctypes.get_errno(), "landlock", path)
        os.close(place)
    if _libc.syscall(_RESTRICT_SELF, rules, 0) != 0:
        raise OSError(ctypes.get_errno(), "landlock")
    os.close(rules)


def _refuse_sockets(architecture: int, socket: int) -> None:
    """Make the kernel refuse socket(2), io_uring, and system calls of another architecture."""
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IF_EQUAL, 0, 4, architecture),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_IF_NOT_LESS, 2, 0, _X32_CALLS),
        (_IF_EQUAL, 1, 0, socket),
        (_IF_EQUAL, 0, 1, _IO_URING_SETUP),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    filter_ = struct.pack("@HP", len(program), ctypes.addressof(code))
    if _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filter_, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")
