"""Limits how many requests one person, client or address may make."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MOST_KEYS = 10_000


@dataclass(frozen=True)
class Rate:
    """A limit: `per_minute` requests in the long run, and `burst` at once."""

    per_minute: float
    burst: int


@dataclass(frozen=True)
class Excess:
    """A refused request: in how many `seconds` the next one is allowed, and whether this is the
    `first` refusal since the bucket was last half full. Only the first one is answered.
    """

    seconds: float
    first: bool


@dataclass
class _Bucket:
    tokens: float
    at: float
    told: bool = False


class RateLimit:
    """A token bucket for each key. The least recently used ones are dropped, so that memory is
    bounded.

    `clock` returns seconds; it need not be the time of day.
    """

    def __init__(
        self, rate: Rate, *, clock: Callable[[], float] = time.monotonic, most: int = _MOST_KEYS
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str) -> Excess | None:
        """Count a request; return None where it is allowed."""
        with self._lock:
            bucket = self._filled(key)
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return None
            first, bucket.told = not bucket.told, True
            return Excess((1 - bucket.tokens) * 60 / self._rate.per_minute, first)

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._buckets)

    def _filled(self, key: str) -> _Bucket:
        now, burst = self._clock(), self._rate.burst
        bucket = self._buckets.setdefault(key, _Bucket(burst, now))
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        gained = max(0.0, now - bucket.at) * self._rate.per_minute / 60
        bucket.tokens, bucket.at = min(float(burst), bucket.tokens + gained), now
        bucket.told = bucket.told and bucket.tokens < burst / 2
        return bucket
