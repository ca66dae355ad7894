"""Measures how long something took, without the time in which the machine was busy with other
processes.
"""

from __future__ import annotations

import time
from pathlib import Path

_PRESSURE = Path("/proc/pressure")


class Stopwatch:
    """Counts from its making. For limits in tests, which must not fail because a machine is busy.

    The kernel's pressure stall information says for how long some process waited for a processor
    or a disk. That much of the time is not counted; where a kernel does not tell, all of it is.
    """

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._stalled = _stalled()

    def seconds(self) -> float:
        """Return the seconds since it was made in which nothing had to wait for the machine."""
        elapsed = time.monotonic() - self._begun
        return max(0.0, elapsed - max(0.0, _stalled() - self._stalled))


def _stalled() -> float:
    """Return the seconds since boot in which something waited for a processor or a disk."""
    total = 0
    for kind in ("cpu", "io"):
        try:
            lines = (_PRESSURE / kind).read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        total += sum(int(line.rpartition("total=")[2]) for line in lines if line.startswith("some"))
    return total / 1_000_000
