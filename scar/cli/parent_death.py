"""Processes that end with the one that started them, whatever ended it."""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)  # before any fork: little may be done between fork and exec


def die_with_parent(parent: int, number: int) -> None:
    """Asks the kernel for the signal `number` when the process `parent` ends; call it in the child.

    Linux only; elsewhere nothing is asked for. See prctl(2), PR_SET_PDEATHSIG.
    """
    if not sys.platform.startswith("linux"):
        return
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it ended before it could be asked
        os._exit(1)
