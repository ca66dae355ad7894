"""Locks that a person sets on a project, so that no job changes it until somebody unlocks it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import cast

from redis import Redis

from scar.access import Actor
from scar.errors import ScarError
from scar.jobs.timestamp import rfc3339
from scar.json_object import JsonObject
from scar.redis_client import redis_errors

EVERYTHING = "*"
"""Stands for every project."""

_KEY = "scar:locks"


@dataclass(frozen=True)
class Lock:
    """A person's lock on a project, or on `EVERYTHING`. `since` is in milliseconds since the
    epoch.
    """

    project: str
    by: str
    reason: str
    since: int

    def refusal(self) -> ScarError:
        """Return the error for a job that is refused because of this lock."""
        what = "Every project" if self.project == EVERYTHING else f"Project '{self.project}'"
        word = "all" if self.project == EVERYTHING else self.project
        return ScarError(
            "busy",
            f"{what} is locked by {self.by} since {self.at}: {self.reason}",
            f"/docker_unlock {word} releases it.",
        )

    @property
    def at(self) -> str:
        """The time `since`, formatted for a person."""
        return (rfc3339(self.since) or "")[:16].replace("T", " ") + " UTC"

    def to_json(self) -> JsonObject:
        """Return the lock in the form in which a project's status contains it."""
        return {**asdict(self), "since": rfc3339(self.since)}

    @classmethod
    def parse(cls, text: str) -> Lock:
        """Parse a lock as stored in the Redis hash."""
        return cls(**json.loads(text))


class Locks:
    """The Redis hash of locks, which `submit.lua` and `confirm.lua` read too."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock

    def acquire(self, project: str, actor: Actor, reason: str) -> Lock:
        """Lock a project, or `EVERYTHING`; raise `conflict` if it is already locked."""
        lock = Lock(project, f"{actor.name} ({actor.frontend})", reason, int(self._clock() * 1000))
        with redis_errors():
            if self._redis.hsetnx(_KEY, project, json.dumps(asdict(lock))):
                return lock
        other = self.of(project)
        raise ScarError(
            "conflict",
            other.refusal().message if other else f"'{project}' was locked in the same moment",
            "Release it first with /docker_unlock.",
        )

    def release(self, project: str) -> Lock | None:
        """Unlock a project; return the lock it had, or None."""
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.hget(_KEY, project)
            pipe.hdel(_KEY, project)
            text, _ = pipe.execute()
        return Lock.parse(text) if text else None

    def of(self, project: str) -> Lock | None:
        """Return the lock that applies to a project: the lock on everything, or the project's
        own.
        """
        with redis_errors():
            texts = cast("list[str | None]", self._redis.hmget(_KEY, [EVERYTHING, project]))
        return next((Lock.parse(text) for text in texts if text), None)
