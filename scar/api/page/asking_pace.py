"""Decides how often an open screen asks how its projects are: each time is a job, and two lines of
the audit trail.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from scar.api.page.young_answers import YOUNG_SECONDS

_QUICK_SECONDS = 60.0
"""For how long a project that starts is asked often."""

_CALM_SECONDS = 300.0
"""After how long without a start the next one is asked often again. A container that fails again
and again starts more often than that.
"""

_REUSE_SECONDS = 30.0
"""How old the answer about any other project may be."""


@dataclass
class _Starts:
    first: float
    last: float
    is_now: bool = True


class AskingPace:
    """Which projects of an open screen start. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._starts: dict[str, _Starts] = {}

    def note(self, name: str, health: str) -> None:
        """Note a project's health as it was drawn."""
        now, is_now = self._clock(), health == "starting"
        known = self._starts.get(name)
        if known is not None:
            known.is_now = is_now
        if is_now and (known is None or now - known.last > _CALM_SECONDS):
            self._starts[name] = _Starts(now, now)
        elif is_now and known is not None:
            known.last = now

    def is_quick(self, name: str) -> bool:
        """Return whether a project starts, for less than a minute."""
        starts = self._starts.get(name)
        return (
            starts is not None and starts.is_now and self._clock() - starts.first < _QUICK_SECONDS
        )

    def reuse_seconds(self, name: str) -> float:
        """Return how old the answer about a project may be."""
        return YOUNG_SECONDS if self.is_quick(name) else _REUSE_SECONDS
