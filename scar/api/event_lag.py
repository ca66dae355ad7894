"""Measures how long an event takes from being written to being sent on a reader's stream."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import Histogram

from scar.jobs.event import Event


class EventLag:
    """Measures the events that are written while a stream is open; by Redis' clock and this host's,
    which are the same where both run on one machine.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.histogram = Histogram(
            "scar_event_lag_seconds",
            "Seconds from the writing of a job's event to its sending to a reader",
            registry=None,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 15),
        )

    def of_stream(self) -> Callable[[Event], None]:
        """Return the function that a newly opened stream calls with each event that it sends."""
        opened = self._clock()

        def observe(event: Event) -> None:
            if event.at / 1000 >= opened:
                self.histogram.observe(max(0.0, self._clock() - event.at / 1000))

        return observe
