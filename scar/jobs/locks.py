"""Locks that a person sets on a project, so that no job changes it until somebody unlocks it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import cast

from redis import Redis

from scar.access import Actor
from scar.errors import ScarError
from scar.jobs.scripts import scripts
from scar.jobs.signing import Signatures
from scar.jobs.timestamp import moment, rfc3339
from scar.json_object import MALFORMED, JsonObject, member
from scar.keys.key_store import API
from scar.redis_client import redis_errors

EVERYTHING = "*"
"""Stands for every project."""

_KEY = "scar:locks"
_LOCKED = "locked"
_RELEASED = "released"


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


@dataclass(frozen=True)
class LockRecord:
    """A project's entry in the hash on Redis: its last lock or release, signed by the front-end in
    which it was made. Releases are kept, so that a lock that was deleted from Redis is known to be
    missing. `retired` says that the signing key was retired since. `actor` is who has set or
    released it; None in a record of an earlier version.
    """

    locked: bool
    lock: Lock
    sealed: str
    retired: bool = False
    actor: Actor | None = None

    @property
    def text(self) -> str:
        """The value on Redis. The scripts read its first word alone."""
        return f"{self.word} {self.sealed}"

    @property
    def word(self) -> str:
        """The value's first word."""
        return _LOCKED if self.locked else _RELEASED

    @classmethod
    def parse(cls, text: str, project: str, signatures: Signatures) -> LockRecord:
        """Parse a value. One with an invalid signature is treated as a lock, so that the project
        stays locked.
        """
        word, _, sealed = text.partition(" ")
        try:
            record = cls._opened(sealed, signatures)
        except MALFORMED:
            record = None
        if record is not None and (record.lock.project, record.word) == (project, word):
            return record
        reason = "the record of this lock was tampered with"
        return cls(True, Lock(project, "nobody", reason, 0), "")

    @classmethod
    def _opened(cls, sealed: str, signatures: Signatures) -> LockRecord | None:
        opened = signatures.open("lock", sealed)
        if opened is None:
            return None
        content = dict(opened.content)
        locked, front_end = bool(content.pop("locked")), str(content.pop("front_end"))
        actor = Actor.from_json(content.pop("actor")) if "actor" in content else None
        project, by, reason = (member(content, name, str) for name in ("project", "by", "reason"))
        lock = Lock(project, by, reason, moment(content["since"]))
        if actor is not None and actor.frontend != front_end:
            return None
        own = opened.signer.part == API or opened.signer.speaks_for(front_end)
        return cls(locked, lock, sealed, opened.signer.retired, actor) if own else None

    @property
    def genuine(self) -> bool:
        """Whether it has a front-end's valid signature."""
        return bool(self.sealed)


def lock_refusal(text: str, project: str | None, signatures: Signatures) -> ScarError:
    """Return the error of a job that the scripts refuse for the lock `text`."""
    for name in (EVERYTHING, project or EVERYTHING):
        record = LockRecord.parse(text, name, signatures)
        if record.genuine:
            break
    return record.lock.refusal()


class Locks:
    """The Redis hash of locks, which `submit.lua` and `confirm.lua` read too."""

    def __init__(
        self, redis: Redis, signatures: Signatures, clock: Callable[[], float] = time.time
    ) -> None:
        self._redis = redis
        self._signatures = signatures
        self._clock = clock
        self._scripts = scripts(redis, "lock")

    def acquire(self, project: str, actor: Actor, reason: str) -> Lock:
        """Lock a project, or `EVERYTHING`; raises `conflict` if it is already locked."""
        record = self._record(project, actor, reason, locked=True)
        with redis_errors():
            if self._scripts["lock"](args=[project, record.text, _RELEASED]) != "":
                return record.lock
        other = self.of(project)
        raise ScarError(
            "conflict",
            other.refusal().message if other else f"'{project}' was locked in the same moment",
            "Release it first with /docker_unlock.",
        )

    def release(self, project: str, actor: Actor) -> Lock | None:
        """Unlock a project; return the lock that it had, None if it was not locked."""
        before = self.records().get(project)
        record = self._record(project, actor, "", locked=False)
        with redis_errors():
            done = self._scripts["lock"](args=[project, record.text, _LOCKED]) != ""
        return before.lock if done and before else None

    def of(self, project: str) -> Lock | None:
        """Return the lock that applies to a project: the one of all projects, or its own."""
        records = self.records()
        for name in (EVERYTHING, project):
            if name in records and records[name].locked:
                return records[name].lock
        return None

    def records(self) -> Mapping[str, LockRecord]:
        """Return the records of all projects that were ever locked."""
        with redis_errors():
            rows = cast("dict[str, str]", self._redis.hgetall(_KEY))
        return {name: LockRecord.parse(text, name, self._signatures) for name, text in rows.items()}

    def put_back(self, project: str, record: LockRecord) -> None:
        """Write a record that Redis has lost."""
        with redis_errors():
            self._redis.hset(_KEY, project, record.text)

    def _record(self, project: str, actor: Actor, reason: str, *, locked: bool) -> LockRecord:
        # The last record that a host has seen counts, even if the clocks of two front-ends differ.
        before = self.records().get(project)
        after = before.lock.since + 1 if before and before.genuine else 0
        since = max(int(self._clock() * 1000), after)
        lock = Lock(project, f"{actor.name} ({actor.frontend})", reason, since)
        about = {"locked": locked, "front_end": actor.frontend, "actor": actor.to_json()}
        content = {**asdict(lock), **about}
        return LockRecord(locked, lock, self._signatures.seal("lock", content))
