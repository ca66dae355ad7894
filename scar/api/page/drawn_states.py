"""The states of jobs as they were drawn a moment ago: many open pages of one job draw each once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

_MOST = 64


@dataclass(frozen=True)
class DrawnState:
    """A job's state as HTML with a place for the token of its forms, what a screen reader says of
    it, and whether the job is looked after.
    """

    html: str
    said: str
    bakes: bool


class DrawnStates:
    """The latest drawings, by what they are made of; those drawn first are forgotten first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drawn: OrderedDict[Hashable, DrawnState] = OrderedDict()

    def get(self, key: Hashable, draw: Callable[[], DrawnState]) -> DrawnState:
        """Return the drawing of that key; draw it where there is none."""
        with self._lock:
            known = self._drawn.get(key)
        if known is not None:
            return known
        drawn = draw()
        with self._lock:
            self._drawn[key] = drawn
            if len(self._drawn) > _MOST:
                self._drawn.popitem(last=False)
        return drawn
