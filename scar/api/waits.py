"""Counts the requests that wait: event streams, long polls, and requests that wait for a job."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.exceptions import ServiceUnavailable, TooManyRequests

from scar.access import Actor

MOST = 384
"""How many requests may wait at once. Each occupies one of the server's 640 connections. Clients
with incomplete requests (`connections`) have a share of their own, which leaves 64 connections for
requests that are answered at once.
"""

MOST_OF_ACTOR = 256
"""How many requests of one actor may wait. There can be many, since a front-end follows each open
job of its people.
"""


class OpenWaits:
    """Counts the waits of each actor."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_actor: Counter[Actor] = Counter()

    def begin(self, actor: Actor) -> None:
        """Count a waiting request. Raises 429 if the actor has too many, 503 if there are too many
        in all.
        """
        with self._lock:
            if self._of_actor[actor] >= MOST_OF_ACTOR:
                raise TooManyRequests(f"{actor.name} waits for {MOST_OF_ACTOR} answers already")
            if self._of_actor.total() >= MOST:
                raise ServiceUnavailable("Too many event streams and waiting requests are open")
            self._of_actor[actor] += 1

    def end(self, actor: Actor) -> None:
        """Count one waiting request less."""
        with self._lock:
            self._of_actor[actor] -= 1
            if not self._of_actor[actor]:
                del self._of_actor[actor]

    @contextmanager
    def during(self, actor: Actor) -> Iterator[None]:
        """Count a waiting request while the block runs."""
        self.begin(actor)
        try:
            yield
        finally:
            self.end(actor)
