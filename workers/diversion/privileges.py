"""Gives up every privilege but CAP_NET_ADMIN."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

# linux/prctl.h and linux/capability.h
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_VERSION_3 = 0x20080522
_CAP_NET_ADMIN = 12
_STATUS = Path("/proc/self/status")


def has_net_admin() -> bool:
    """Return whether this process may change firewall rules (capabilities(7))."""
    for line in _STATUS.read_text("ascii", "replace").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _CAP_NET_ADMIN & 1)
    return False


def keep_only_net_admin() -> None:
    """Drop every other capability, for good: the bounding set first, then the three sets.

    Raises OSError where the kernel refuses, so that nothing runs with more than it needs.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        if capability != _CAP_NET_ADMIN:
            with suppress(OSError):  # without CAP_SETPCAP, or beyond the last capability
                _call(libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0))
    bit = 1 << _CAP_NET_ADMIN
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    # effective, permitted, inheritable: of the lower 32 capabilities, then of the upper ones
    _call(libc.capset(header, (ctypes.c_uint32 * 6)(bit, bit, 0, 0, 0, 0)))
    _call(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _call(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
