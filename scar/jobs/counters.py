"""The counters of `/metrics`, in one hash on Redis: jobs by their end, durations of steps,
messages.

A field is the JSON list of a counter's name and labels. Ends of jobs and their time in the queue
are counted by the scripts that make them, in the same step; the others by the processes, which
write once a second. Counts that a killed process had not written are lost.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Mapping

import structlog
from redis import Redis

from scar.errors import ScarError
from scar.json_object import MALFORMED
from scar.redis_client import redis_errors

KEY = "scar:counters"
BOUNDS = (0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0)
"""Upper bounds of the classes of a time, in seconds; `prelude.lua` has the same."""

STEPS = (
    *("checking", "updating", "copying", "building", "restarting", "verifying", "rolling_back"),
    *("cloning", "keeping", "working", "comparing", "restoring", "discarding", "following"),
)
"""The steps whose times are counted."""

ENGINE_ERRORS = "engine_errors"
_TOGETHER = 1.0
_log = structlog.get_logger(__name__)


class Counters:
    """Adds to the counters, without waiting for Redis: a thread writes them, once there are any."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._pending: dict[str, float] = defaultdict(float)
        self._thread: threading.Thread | None = None

    def add(self, name: str, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        self._add({field_of(name, *labels): by})

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """Count a time in its class, and add it to the sum."""
        least = next((f"{bound:g}" for bound in BOUNDS if seconds <= bound), "+Inf")
        self._add(
            {field_of(name, *labels, "le", least): 1, field_of(name, *labels, "sum"): seconds}
        )

    def observe_step(self, name: str, seconds: float) -> None:
        """Count the time of a step. What follows a colon in its name is a container's."""
        step = name.partition(":")[0]
        if step in STEPS:
            self.observe("step_seconds", seconds, step)

    def _add(self, amounts: Mapping[str, float]) -> None:
        with self._lock:
            for field, by in amounts.items():
                self._pending[field] += by
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="counters", daemon=True)
                self._thread.start()

    def _write(self) -> None:
        time.sleep(_TOGETHER)
        self.flush()

    def flush(self) -> None:
        """Write what was added. What Redis does not take is not counted."""
        with self._lock:
            pending, self._pending = self._pending, defaultdict(float)
            self._thread = None
        try:
            with redis_errors():
                pipe = self._redis.pipeline(transaction=False)
                for field, by in pending.items():
                    pipe.hincrbyfloat(KEY, field, by)
                pipe.execute()
        except ScarError as error:
            _log.warning("not counted", reason=error.message)


def field_of(*words: str) -> str:
    """Return the field of a counter, as cjson writes it too."""
    return json.dumps(words, separators=(",", ":"))


def read_counters(redis: Redis) -> dict[tuple[str, ...], float]:
    """Return every counter by its name and labels; what is none is left out."""
    with redis_errors():
        rows = redis.hgetall(KEY)
    counters = {}
    for field, value in rows.items():
        try:
            words = tuple(map(str, json.loads(field)))
            "".join(words).encode()
            if words:
                counters[words] = float(value)
        except MALFORMED:
            continue
    return counters
