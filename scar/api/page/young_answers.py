"""The answers of workers that are young enough to be shown to several visitors."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_YOUNG_SECONDS = 3.0
_MOST_KEPT = 1000


@dataclass(frozen=True)
class YoungAnswer:
    """A job that was asked for, and when by the clock of this process."""

    id: str
    at: float


class YoungAnswers:
    """The jobs of the last seconds, by what they were asked. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: OrderedDict[str, YoungAnswer] = OrderedDict()

    def get(self, key: str) -> str | None:
        """Return the id of a job that was asked for a moment ago."""
        with self._lock:
            asked = self._asked.get(key)
        return asked.id if asked and self._clock() - asked.at < _YOUNG_SECONDS else None

    def put(self, key: str, id: str) -> None:
        """Remember a job."""
        with self._lock:
            self._asked[key] = YoungAnswer(id, self._clock())
            self._asked.move_to_end(key)
            if len(self._asked) > _MOST_KEPT:
                self._asked.popitem(last=False)
