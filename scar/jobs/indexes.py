"""Keeps the keys and indexes of jobs on Redis in order."""

from __future__ import annotations

import time
from itertools import islice

import structlog
from redis import Redis

from scar.access import Actor
from scar.jobs.job_id import oldest_id_at
from scar.jobs.record_reader import RecordReader
from scar.jobs.redis_keys import set_aside_wrong_keys
from scar.jobs.signing import Signatures
from scar.jobs.subscriptions import forget_unshown
from scar.jobs.trail import Trail, TrailEntry
from scar.redis_client import redis_errors

_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
RETENTION_MS = {True: 30 * _DAY_MS, False: 15 * _MINUTE_MS}
"""How long the record of an ended job is kept, by whether the job changes anything. Jobs that only
read can be repeated, so 15 minutes suffice for people who look at the answer, and for a front-end
that was down.
"""

_MOST_FOUND = 5000

NEVER_BEGUN_MS = _DAY_MS
"""How long the record of a job is kept that nobody confirmed and no worker took, so that unanswered
questions do not fill Redis.
"""

SCAR = Actor("scar", "scar", "SCAR")
_log = structlog.get_logger(__name__)


class JobIndexes(RecordReader):
    """Removes old entries from the indexes, and repairs damaged ones; `Ledger` adds the jobs."""

    def __init__(self, redis: Redis, signatures: Signatures) -> None:
        super().__init__(redis, signatures)
        self._trail = Trail(redis, signatures)

    def set_aside_wrong_keys(self) -> None:
        """Rename SCAR's keys that have a wrong type, and report each once in the log and the audit
        trail.
        """
        for key in set_aside_wrong_keys(self._redis):
            _log.error("key set aside: SCAR has written no such key", key=key)
            self._trail.append(TrailEntry.of(SCAR, "redis", f"set aside: {key}"))
            if key == "scar:open":
                self._find_open()

    def _find_open(self) -> None:
        """Find the open jobs among the newest ones, and index them again."""
        ids = [job.id for job in islice(self.recent(), _MOST_FOUND) if not job.state.ended]
        with redis_errors():
            for id in ids:
                self._redis.zadd("scar:open", {id: 0})

    def forget_old(self) -> None:
        """Remove the ids of jobs whose records have expired from the indexes, and what no front-end
        has shown for a day; at most once an hour.
        """
        with redis_errors():
            if not self._redis.set("scar:forget:last", "1", nx=True, ex=3600):
                return
            oldest = oldest_id_at(time.time() - RETENTION_MS[True] / 1000)
            for index in self._redis.scan_iter("scar:jobs*"):
                self._redis.zremrangebylex(index, "-", f"({oldest}")
            forget_unshown(self._redis, oldest_id_at(time.time() - _DAY_MS / 1000))
