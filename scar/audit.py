"""The audit trail on Redis: who requested what, from where, when, as which job, and its outcome."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis

from scar.access import Actor
from scar.jobs.signing import Signatures
from scar.jobs.timestamp import LATEST, moment, rfc3339
from scar.jobs.trail import STREAM, TIP, Trail, TrailEntry, broken_at
from scar.json_object import MALFORMED, JsonObject, member
from scar.redis_client import redis_errors

_REFUSALS = "scar:refusals"
_MOST_REFUSALS = 10_000


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

    The entries for a job's acceptance and for its end are not written here, but by the scripts that
    create and end the job, in the same step. Refusals have a stream of their own, with the newest
    10,000, so that whoever is refused cannot push out what was done.
    """

    def __init__(self, redis: Redis, signatures: Signatures) -> None:
        self._redis = redis
        self._signatures = signatures
        self._trail = Trail(redis, signatures)

    def write(
        self, actor: Actor, action: str, outcome: str, *, project: str | None = None, job: str = ""
    ) -> None:
        """Append an entry; `outcome` is `accepted`, `confirmed`, `released`, ..."""
        self._trail.append(TrailEntry.of(actor, action, outcome, project=project, job=job))

    def write_refusal(
        self, actor: Actor, action: str, outcome: str, *, project: str | None = None, job: str = ""
    ) -> None:
        """Append a refusal; `outcome` is `refused: <code>`, `not confirmed: <code>`."""
        entry = TrailEntry.of(actor, action, outcome, project=project, job=job)
        sealed = self._trail.seal(entry)
        with redis_errors():
            self._redis.xadd(_REFUSALS, {"line": sealed}, maxlen=_MOST_REFUSALS, approximate=True)

    def recent(self, *, before: str | None = None, batch: int = 200) -> Iterator[AuditEntry]:
        """Yield entries, newest first, refusals among them; with the id `before`, only those older
        than it.
        """
        streams = (self._newest_first(key, before, batch) for key in (STREAM, _REFUSALS))
        yield from heapq.merge(*streams, key=lambda entry: _order(entry.id), reverse=True)

    def problem(self, anchor: str = "") -> str | None:
        """Return what is wrong with the trail; None if it is intact. `anchor` is an end of the
        trail that this host has seen before.
        """
        with redis_errors():
            tip = cast("str | None", self._redis.get(TIP)) or ""
        return broken_at(self._oldest_first(), tip, self._signatures, anchor)

    def _newest_first(self, key: str, before: str | None, batch: int) -> Iterator[AuditEntry]:
        top = f"({before}" if before else "+"
        while True:
            with redis_errors():
                entries = cast("list[Any]", self._redis.xrevrange(key, top, "-", batch))
            for id, fields in entries:
                yield self._read(id, fields.get("line", ""))
            if len(entries) < batch:
                return
            top = f"({entries[-1][0]}"

    def _oldest_first(self) -> Iterator[tuple[str, str]]:
        bottom = "-"
        while True:
            with redis_errors():
                entries = cast("list[Any]", self._redis.xrange(STREAM, bottom, "+", 1000))
            yield from ((id, fields.get("line", "")) for id, fields in entries)
            if len(entries) < 1000:
                return
            bottom = f"({entries[-1][0]}"

    def _read(self, id: str, line: str) -> AuditEntry:
        opened = self._signatures.open("audit", line)
        if opened is None:
            return _refused(id, "not signed: tampered with, or of an earlier version")
        try:
            content = opened.content
            values = {name: member(content, name, str) for name in TrailEntry.__dataclass_fields__}
            return AuditEntry(id, moment(content["at"]), **values)
        except MALFORMED:
            return _refused(id, f"signed by {opened.signer.part}, and cannot be read")


def _refused(id: str, outcome: str) -> AuditEntry:
    """Return the entry that is shown in place of an invalid one."""
    at = min(int(id.split("-")[0]), LATEST)
    return AuditEntry(id, at, "?", "?", "?", "", "", outcome)


def _order(id: str) -> tuple[int, int]:
    milliseconds, _, number = id.partition("-")
    return int(milliseconds), int(number)
