"""Projects that a person holds against changing jobs, until they are released."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, cast

from redis import Redis

from scar.access import Actor
from scar.errors import ScarError
from scar.jobs.record import rfc3339
from scar.redis_client import redis_errors

EVERYTHING = "*"
"""Stands for every project."""

_KEY = "scar:locks"


@dataclass(frozen=True)
class Lock:
    """`since` is in milliseconds since the epoch; `project` may be `EVERYTHING`."""

    project: str
    by: str
    reason: str
    since: int

    def refusal(self) -> ScarError:
        """Why a changing job is not taken."""
        what = "Every project" if self.project == EVERYTHING else f"Project '{self.project}'"
        word = "all" if self.project == EVERYTHING else self.project
        return ScarError(
            "busy",
            f"{what} is locked by {self.by} since {self.at}: {self.reason}",
            f"/docker_unlock {word} releases it.",
        )

    @property
    def at(self) -> str:
        """Since when, as a person reads it."""
        return (rfc3339(self.since) or "")[:16].replace("T", " ") + " UTC"

    def to_json(self) -> dict[str, Any]:
        """The lock as status shows it."""
        return {**asdict(self), "since": rfc3339(self.since)}

    @classmethod
    def parse(cls, text: str) -> Lock:
        """The lock that Redis holds."""
        return cls(**json.loads(text))


class Locks:
    """The locks on Redis; the scripts that take changing jobs in look at the same hash."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock

    def hold(self, project: str, actor: Actor, reason: str) -> Lock:
        """Locks a project; `conflict` where it is locked already."""
        lock = Lock(project, f"{actor.name} ({actor.frontend})", reason, int(self._clock() * 1000))
        with redis_errors():
            if self._redis.hsetnx(_KEY, project, json.dumps(asdict(lock))):
                return lock
        held = self.of(project)
        raise ScarError(
            "conflict",
            held.refusal().message if held else f"'{project}' was locked in the same moment",
            "Release it first with /docker_unlock.",
        )

    def release(self, project: str) -> Lock | None:
        """Releases a project; what held it, None where nothing did."""
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.hget(_KEY, project)
            pipe.hdel(_KEY, project)
            found, _ = pipe.execute()
        return Lock.parse(found) if found else None

    def of(self, project: str) -> Lock | None:
        """What holds a project: its own lock, or the one of everything."""
        with redis_errors():
            found = cast("list[str | None]", self._redis.hmget(_KEY, [EVERYTHING, project]))
        return next((Lock.parse(text) for text in found if text), None)
