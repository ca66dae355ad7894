"""The audit trail on Redis: who requested what, from where, when, as which job, and its outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis

from scar.access import Actor
from scar.jobs.timestamp import rfc3339
from scar.json_object import JsonObject
from scar.redis_client import redis_errors

_KEY = "scar:audit"
_MAX_ENTRIES = 100_000


@dataclass(frozen=True)
class AuditEntry:
    """One entry of the audit trail. `at` is in milliseconds since the epoch."""

    id: str
    at: int
    actor: str
    name: str
    action: str
    project: str
    job: str
    outcome: str

    def to_json(self) -> JsonObject:
        """Return the entry in the format of the API."""
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
    """Writes and reads the audit trail, a Redis stream capped at the newest 100,000 entries.

    Entries for a job's submission and for its end are written by the Lua scripts that create and
    end the job, so that job and entry are written atomically.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def write(
        self, actor: Actor, action: str, outcome: str, *, project: str | None = None, job: str = ""
    ) -> None:
        """Append an entry; `outcome` is `accepted`, `confirmed`, `refused: <code>`, ..."""
        fields = {
            "actor": f"{actor.frontend}:{actor.id}",
            "name": actor.name,
            "action": action[:200],
            "project": (project or "")[:64],
            "job": job,
            "outcome": outcome,
        }
        with redis_errors():
            self._redis.xadd(_KEY, cast("Any", fields), maxlen=_MAX_ENTRIES, approximate=True)

    def recent(self, *, before: str | None = None, batch: int = 200) -> Iterator[AuditEntry]:
        """Yield entries, newest first; with `before` (the id of an entry), only older ones.
        Reads `batch` entries at a time.
        """
        top = f"({before}" if before else "+"
        while True:
            with redis_errors():
                entries = cast("list[Any]", self._redis.xrevrange(_KEY, top, "-", batch))
            for id, fields in entries:
                yield AuditEntry(id, int(id.split("-")[0]), **fields)
            if len(entries) < batch:
                return
            top = f"({entries[-1][0]}"
