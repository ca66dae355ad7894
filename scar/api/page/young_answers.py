"""Caches the recent answers of workers, which several visitors are shown."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

YOUNG_SECONDS = 10.0
"""How many seconds an answer is reused if nothing else is said. Each new one costs a job and two
lines of the audit trail. A change of the project invalidates its answers (`Question.not_before`).
"""

_MOST_KEPT = 1000


@dataclass(frozen=True)
class YoungAnswer:
    """A job that reads, and when it was submitted by this process's monotonic clock."""

    id: str
    at: float


class YoungAnswers:
    """The jobs of the last seconds, by the key of their question. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: OrderedDict[str, YoungAnswer] = OrderedDict()

    def get(self, key: str) -> YoungAnswer | None:
        """Return the latest job for a key."""
        with self._lock:
            return self._asked.get(key)

    def is_young(self, answer: YoungAnswer, seconds: float) -> bool:
        """Return whether an answer is younger than `seconds`."""
        return self._clock() - answer.at < seconds

    def put(self, key: str, id: str) -> None:
        """Store the job for a key."""
        with self._lock:
            self._asked[key] = YoungAnswer(id, self._clock())
            self._asked.move_to_end(key)
            if len(self._asked) > _MOST_KEPT:
                self._asked.popitem(last=False)
