"""Child processes that end when their parent ends, whatever ended it."""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)  # loaded before any fork: between fork and exec little may be done


def die_with_parent(parent: int, number: int) -> None:
    """Ask the kernel to send this process the signal `number` when the process `parent` ends.

    To be called in the child. Works on Linux only; elsewhere it does nothing. See prctl(2),
    PR_SET_PDEATHSIG.
    """
    if not sys.platform.startswith("linux"):
        return
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # the parent ended before the kernel was asked
        os._exit(1)
