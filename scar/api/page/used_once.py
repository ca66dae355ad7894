"""Remembers in this process what was used, so that it is not used again."""

from __future__ import annotations

import threading
from collections import OrderedDict

_MOST = 10_000


class UsedOnce:
    """The latest texts that were used; those used first are forgotten first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: OrderedDict[str, None] = OrderedDict()

    def add(self, text: str) -> bool:
        """Note that a text is used; return False where it was before."""
        with self._lock:
            if text in self._used:
                return False
            self._used[text] = None
            if len(self._used) > _MOST:
                self._used.popitem(last=False)
            return True
