"""Projects that a person has locked against changing jobs, until somebody unlocks them."""

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
    """A person's lock on a project, or on `EVERYTHING`. `since` is milliseconds since the epoch."""

    project: str
    by: str
    reason: str
    since: int

    def refusal(self) -> ScarError:
        """Return the error of a changing job that is refused because of the lock."""
        what = "Every project" if self.project == EVERYTHING else f"Project '{self.project}'"
        word = "all" if self.project == EVERYTHING else self.project
        return ScarError(
            "busy",
            f"{what} is locked by {self.by} since {self.at}: {self.reason}",
            f"/docker_unlock {word} releases it.",
        )

    @property
    def at(self) -> str:
        """`since` as a person reads it."""
        return (rfc3339(self.since) or "")[:16].replace("T", " ") + " UTC"

    def to_json(self) -> JsonObject:
        """Return the lock as the status of a project shows it."""
        return {**asdict(self), "since": rfc3339(self.since)}

    @classmethod
    def parse(cls, text: str) -> Lock:
        """Read a lock of the hash on Redis."""
        return cls(**json.loads(text))


class Locks:
    """The hash of locks on Redis, which `submit.lua` and `confirm.lua` read too."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock

    def acquire(self, project: str, actor: Actor, reason: str) -> Lock:
        """Lock a project, or `EVERYTHING`; raises `conflict` where it is locked already."""
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
        """Unlock a project; returns the lock it had, None where it had none."""
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.hget(_KEY, project)
            pipe.hdel(_KEY, project)
            text, _ = pipe.execute()
        return Lock.parse(text) if text else None

    def of(self, project: str) -> Lock | None:
        """Return the lock that a project is under: that of everything, or its own."""
        with redis_errors():
            texts = cast("list[str | None]", self._redis.hmget(_KEY, [EVERYTHING, project]))
        return next((Lock.parse(text) for text in texts if text), None)
