"""Remembers in this process which one-time texts were used."""

from __future__ import annotations

import threading
from collections import OrderedDict

_MOST = 10_000


class UsedOnce:
    """The texts that were used, up to a limit; the oldest are dropped first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: OrderedDict[str, None] = OrderedDict()

    def add(self, text: str) -> bool:
        """Mark a text as used; return False if it was already."""
        with self._lock:
            if text in self._used:
                return False
            self._used[text] = None
            if len(self._used) > _MOST:
                self._used.popitem(last=False)
            return True
