"""The answers of workers that are young enough to be shown to several visitors."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_YOUNG_SECONDS = 10.0
"""How long an answer is shown again. Each new one is a job, and two lines of the audit trail; what
changes a project makes its answers count no more (`Question.not_before`)."""

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

    def get(self, key: str) -> YoungAnswer | None:
        """Return the job that was asked for last."""
        with self._lock:
            return self._asked.get(key)

    def is_young(self, answer: YoungAnswer) -> bool:
        """Return whether a job was asked for a moment ago."""
        return self._clock() - answer.at < _YOUNG_SECONDS

    def put(self, key: str, id: str) -> None:
        """Remember a job."""
        with self._lock:
            self._asked[key] = YoungAnswer(id, self._clock())
            self._asked.move_to_end(key)
            if len(self._asked) > _MOST_KEPT:
                self._asked.popitem(last=False)
