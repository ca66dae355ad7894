"""The rule for a disk that fills up: it predicts when the disk is full from the speed of the last
hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median_low

from scar.alerts.alert import CRITICAL, WARNING
from workers.watch.rules.problem import Problem

SPAN_SECONDS = 6 * 3600.0
"""The time over which the speed is measured, in seconds."""

_LEAST_SPAN_SECONDS = 1800.0
_PARTS = 6
_HOUR = 3600.0
_GIB = 1 << 30
_SOON_HOURS = 24
_VERY_SOON_HOURS = 3
_USED_TO_WORRY = 0.7
_USED_TOO_MUCH = 0.95
_USED_UP = 0.99


@dataclass(frozen=True)
class DiskSample:
    """The free space of a disk at a time. Sizes are in bytes; `at` is in seconds since the
    epoch.
    """

    at: float
    free: int
    total: int

    @property
    def used(self) -> float:
        """The share that is used, from 0 to 1."""
        return 1 - self.free / self.total if self.total else 0.0


def disk(path: str, samples: Sequence[DiskSample]) -> Problem | None:
    """Return the problem of the disk that holds `path`, with its samples, oldest first."""
    if not samples or not samples[-1].total:
        return None
    last, hours = samples[-1], hours_to_full(samples)
    room = f"{path}: {last.free / _GIB:.1f} of {last.total / _GIB:.0f} GiB are free"
    if hours is not None and hours <= _SOON_HOURS and last.used >= _USED_TO_WORRY:
        severity = CRITICAL if hours <= _VERY_SOON_HOURS else WARNING
        speed = _speed(samples) * _HOUR / _GIB
        why = f"{room}, and {speed:.1f} GiB an hour come on top."
        return Problem("disk", severity, f"has a disk that is full in {_about(hours)}", why)
    if last.used >= _USED_TOO_MUCH:
        severity = CRITICAL if last.used >= _USED_UP else WARNING
        return Problem("disk", severity, "has a disk that is almost full", f"{room}.")
    return None


def hours_to_full(samples: Sequence[DiskSample]) -> float | None:
    """Return in how many hours the disk will be full; None if it does not fill up, or was not
    watched for half an hour yet.
    """
    speed = _speed(samples)
    return samples[-1].free / speed / _HOUR if speed > 0 else None


def _speed(samples: Sequence[DiskSample]) -> float:
    """Return the speed in bytes a second at which the disk fills up: that of the last half hour or
    of the whole time, whichever is higher. 0 if it was not watched for half an hour yet.
    """
    first, last = samples[0].at, samples[-1].at
    if last - first < _LEAST_SPAN_SECONDS:
        return 0.0
    return max(_median_speed(samples, begin) for begin in (first, last - _LEAST_SPAN_SECONDS))


def _median_speed(samples: Sequence[DiskSample], begin: float) -> float:
    """Return the lower median of the speeds in six parts of the time since `begin`, which ignores a
    single large write such as the images of a build.
    """
    seconds = (samples[-1].at - begin) / _PARTS
    rooms = [_free_at(samples, begin + seconds * number) for number in range(_PARTS + 1)]
    return median_low((earlier - later) / seconds for earlier, later in pairwise(rooms))


def _free_at(samples: Sequence[DiskSample], at: float) -> float:
    """Return the free space at a time, by linear interpolation between two samples."""
    before = samples[0]
    for sample in samples:
        if sample.at >= at:
            share = (at - before.at) / (sample.at - before.at) if sample.at > before.at else 1.0
            return before.free + (sample.free - before.free) * share
        before = sample
    return before.free


def _about(hours: float) -> str:
    return f"{round(hours)} h" if round(hours) >= 1 else "less than 1 h"
