"""Measures how late the watcher receives the Engine's events."""

from __future__ import annotations

import time
from collections.abc import Callable

from scar.jobs.counters import Counters
from workers.watch.observer import ContainerEvent, QuietObserver


class WatcherLag(QuietObserver):
    """Observes the time from each event, by the Engine's clock, to its arrival."""

    def __init__(self, counters: Counters, wall: Callable[[], float] = time.time) -> None:
        self._counters = counters
        self._wall = wall

    def happened(self, event: ContainerEvent) -> None:
        """Count the event."""
        self._counters.observe("watcher_lag_seconds", max(0.0, self._wall() - event.event.at))
