"""Requests that wait for something to happen: event streams, long polls, jobs being waited for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.exceptions import ServiceUnavailable, TooManyRequests

from scar.access import Actor

MOST = 384
"""Waits at once. Each occupies a connection of the server, which takes 640: with the clients that
have not sent their request yet (`connections`), 64 are left for what is answered at once."""

MOST_OF_ACTOR = 256
"""Waits of one actor: a front-end follows each open job of its people, so there are many."""


class OpenWaits:
    """Counts the waits of each actor."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_actor: Counter[Actor] = Counter()

    def begin(self, actor: Actor) -> None:
        """Count a wait. Raises 429 where the actor has too many, 503 where all together have."""
        with self._lock:
            if self._of_actor[actor] >= MOST_OF_ACTOR:
                raise TooManyRequests(f"{actor.name} waits for {MOST_OF_ACTOR} answers already")
            if self._of_actor.total() >= MOST:
                raise ServiceUnavailable("Too many event streams and waiting requests are open")
            self._of_actor[actor] += 1

    def end(self, actor: Actor) -> None:
        """Count one less."""
        with self._lock:
            self._of_actor[actor] -= 1
            if not self._of_actor[actor]:
                del self._of_actor[actor]

    @contextmanager
    def during(self, actor: Actor) -> Iterator[None]:
        """Count a wait while the block runs."""
        self.begin(actor)
        try:
            yield
        finally:
            self.end(actor)
