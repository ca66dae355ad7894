"""Hands bytes from one thread to another, all that are there at once."""

from __future__ import annotations

import time
from collections import deque
from threading import Condition

_GATHER_SECONDS = 0.005
"""Who finds nothing waits so long once something has come. The Engine sends a log in a piece for
each message: handed over one by one, 100,000 lines took five times as long, since both threads wait
for each other at each of them.
"""


class ByteQueue:
    """A queue of at most about `most` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._changed = Condition()

    def put(self, chunk: bytes, seconds: float | None = None) -> bool:
        """Add bytes once there is room; return False where there was none in time, or after `end`.

        Bytes that come first are taken in whole, whatever their number.
        """
        with self._changed:
            if not self._changed.wait_for(self._has_room, seconds) or self._ended:
                return False
            if not self._chunks:
                self._changed.notify_all()
            self._chunks.append(chunk)
            self._size += len(chunk)
            return True

    def end(self) -> None:
        """Let `take` return nothing more, once it has returned what is there."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self, seconds: float) -> bytes | None:
        """Return everything that is there; nothing at the end, None where nothing came in time."""
        with self._changed:
            must_wait = not self._chunks
            if not self._changed.wait_for(lambda: self._chunks or self._ended, seconds):
                return None
        if must_wait:
            time.sleep(_GATHER_SECONDS)
        with self._changed:
            chunks, self._chunks, self._size = self._chunks, deque(), 0
            self._changed.notify_all()
        return b"".join(chunks)

    def _has_room(self) -> bool:
        return self._size < self._most or self._ended
