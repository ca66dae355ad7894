"""The trail: who asked for what, from where, when, as which job, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis

from scar.access import Actor
from scar.jobs.timestamp import rfc3339
from scar.redis_client import redis_errors

_KEY = "scar:audit"
_KEPT = 100_000


@dataclass(frozen=True)
class AuditEntry:
    """One line of the trail. `at` is milliseconds since the epoch."""

    id: str
    at: int
    actor: str
    name: str
    action: str
    project: str
    job: str
    outcome: str

    def to_json(self) -> dict[str, Any]:
        """A line as the API shows it."""
        return {
            "id": self.id,
            "at": rfc3339(self.at),
            "actor": self.actor,
            "name": self.name,
            "action": self.action,
            "project": self.project or None,
            "job": self.job or None,
            "outcome": self.outcome,
        }


class Audit:
    """Writes and reads the trail; the newest 100,000 lines are kept.

    That a job was accepted, and its end, are written by the script that makes or ends it.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def write(
        self, actor: Actor, action: str, outcome: str, *, project: str | None = None, job: str = ""
    ) -> None:
        """Adds a line: `outcome` is `accepted`, `confirmed`, `refused: <code>`, ..."""
        fields = {
            "actor": f"{actor.frontend}:{actor.id}",
            "name": actor.name,
            "action": action[:200],
            "project": (project or "")[:64],
            "job": job,
            "outcome": outcome,
        }
        with redis_errors():
            self._redis.xadd(_KEY, cast("Any", fields), maxlen=_KEPT, approximate=True)

    def recent(self, *, before: str | None = None, batch: int = 200) -> Iterator[AuditEntry]:
        """Lines, newest first, from the one before the id `before` on."""
        top = f"({before}" if before else "+"
        while True:
            with redis_errors():
                found = cast("list[Any]", self._redis.xrevrange(_KEY, top, "-", batch))
            for id, fields in found:
                yield AuditEntry(id, int(id.split("-")[0]), **fields)
            if len(found) < batch:
                return
            top = f"({found[-1][0]}"
