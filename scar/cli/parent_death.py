"""Makes child processes end when their parent process ends, for whatever reason."""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
# Loaded before any fork, because little may be done between fork and exec.
_libc = ctypes.CDLL(None)


def die_with_parent(parent: int, number: int) -> None:
    """Make the kernel send this process the signal `number` when the process `parent` ends.

    Must be called in the child process. Does nothing on systems other than Linux. See prctl(2),
    PR_SET_PDEATHSIG.
    """
    if not sys.platform.startswith("linux"):
        return
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # the parent had already ended before the call
        os._exit(1)
