"""Reads the records and events of jobs on Redis, and refuses those without valid signatures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import structlog
from redis import Redis

from scar.access import Actor
from scar.errors import ScarError
from scar.jobs.event import Event
from scar.jobs.event_reader import events_of
from scar.jobs.job_state import JobState
from scar.jobs.proofs import Proofs, waits_for
from scar.jobs.record import Job
from scar.jobs.request import Request
from scar.jobs.signing import Signatures, tampered
from scar.jobs.step import Step
from scar.jobs.timestamp import moment
from scar.json_object import MALFORMED, JsonObject
from scar.redis_client import redis_errors

_WAITING = (JobState.AWAITING_CONFIRMATION, JobState.QUEUED)
_log = structlog.get_logger(__name__)


class RecordReader:
    """Reads job records; `Ledger` adds the writing methods."""

    def __init__(self, redis: Redis, signatures: Signatures) -> None:
        self._redis = redis
        self._signatures = signatures

    def get(self, id: str) -> Job | None:
        """Return the job, or None where there is none of that id. Raises `tampered`."""
        fields = self._fields(id)
        return self.read(id, fields) if fields else None

    def exists(self, id: str) -> bool:
        """Return whether there is a record with that id, valid or not."""
        with redis_errors():
            return bool(self._redis.exists(f"scar:job:{id}"))

    def read(self, id: str, fields: Mapping[str, str]) -> Job:
        """Return the job of a record on Redis; `__init__` of this package lists its fields.

        Raises `tampered` if a part of it lacks a valid signature.
        """
        try:
            proofs = self._proofs(id, fields)
            return _job_of(fields, proofs)
        except MALFORMED as error:
            raise tampered(f"the record of job {id[:40]}") from error

    def position(self, id: str) -> JsonObject | None:
        """Return the position at which an interrupted job continues, as its killed worker has
        signed it; None if there is none. Raises `tampered`.
        """
        proofs = self.proofs(id)
        with redis_errors():
            sealed = cast("str | None", self._redis.hget(f"scar:job:{id}", "position"))
        if proofs is None or sealed is None:
            return None
        position: JsonObject = proofs.by_worker("position", sealed)["position"]
        return position

    def lock_holder(self, resource: str) -> Job | None:
        """Return the unfinished job that has locked the resource (a project or a workspace), or
        None.
        """
        with redis_errors():
            id = cast("str | None", self._redis.get(f"scar:hold:{resource}"))
        job = self.get(id) if id else None
        return job if job and not job.state.ended else None

    def recent(
        self,
        project: str | None = None,
        *,
        before: str | None = None,
        batch: int = 200,
        changes: bool = False,
    ) -> Iterator[Job]:
        """Yield jobs, newest first, from the one before the id `before` on; with `changes` only
        those that change something. `batch` are read at a time. A record that was tampered with is
        replaced by a failed job with that error.
        """
        jobs = "scar:jobs-changing" if changes else "scar:jobs"
        index = f"{jobs}:{project}" if project else jobs
        self._mend(index)
        top = f"({before}" if before else "+"
        while True:
            with redis_errors():
                ids = cast("list[str]", self._redis.zrevrangebylex(index, top, "-", 0, batch))
                pipe = self._redis.pipeline(transaction=False)
                for id in ids:
                    pipe.hgetall(f"scar:job:{id}")
                # For a key of another type than a hash, the pipeline returns the error in place of
                # the record.
                records = pipe.execute(raise_on_error=False) if ids else []
            rows = zip(ids, records, strict=True)
            yield from (self._read_or_say(id, fields) for id, fields in rows if fields)
            if len(ids) < batch:
                return
            top = f"({ids[-1]}"

    def _mend(self, index: str) -> None:
        """Set the score of every id to 0, without which the set is not in the order of ids."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for least, most in (("(0", "+inf"), ("-inf", "(0")):
                pipe.zrangebyscore(index, least, most)
            for id in [id for ids in pipe.execute() for id in ids]:
                self._redis.zadd(index, {id: 0})

    def events(self, id: str, after: int = 0, *, count: int = 1000) -> list[Event]:
        """Return up to `count` events that follow the event `after`, oldest first.

        Raises `tampered` if one lacks a valid signature.
        """
        proofs = self.proofs(id)
        if proofs is None:
            return []
        with redis_errors():
            entries = self._redis.xrange(f"scar:job:{id}:events", f"({after}-0", "+", count)
        events: list[Event] = []
        for entry in cast("list[Any]", entries):
            events += (event for event in events_of(entry, proofs) if event.id > after)
            if len(events) >= count:
                break
        return events[:count]

    def proofs(self, id: str) -> Proofs | None:
        """Return the `Proofs` that verify a job's events; None if there is no such job. Raises
        `tampered`.
        """
        with redis_errors():
            record: Any = self._redis.hmget(f"scar:job:{id}", "request", "signature")
        request, signature = record
        if request is None:
            return None
        try:
            return self._proofs(id, {"request": request, "signature": signature or ""})
        except MALFORMED as error:
            raise tampered(f"the request of job {id[:40]}") from error

    def _proofs(self, id: str, fields: Mapping[str, str]) -> Proofs:
        return Proofs.of(self._signatures, id, fields["request"], fields["signature"])

    def _fields(self, id: str) -> dict[str, str]:
        with redis_errors():
            return cast("dict[str, str]", self._redis.hgetall(f"scar:job:{id}"))

    def _read_or_say(self, id: str, fields: Mapping[str, str] | Exception) -> Job:
        try:
            if isinstance(fields, Exception):
                raise tampered(f"the record of job {id[:40]}")
            return self.read(id, fields)
        except ScarError as error:
            if error.code != "tampered":
                raise
            _log.warning("record refused", job=id, reason=error.message)
            return _refused(id, error)


def _job_of(fields: Mapping[str, str], proofs: Proofs) -> Job:
    state = JobState(fields["state"])
    end = proofs.require_state(state, fields)
    plan, sealed_steps = fields.get("plan"), fields.get("steps")
    steps = proofs.by_worker("steps", sealed_steps)["steps"] if sealed_steps else ()
    error = end.error if end else None
    if state in _WAITING:
        unavailable = bool(fields.get("unavailable"))
        error = waits_for(proofs.signatures, proofs.request.host, unavailable=unavailable)
    return Job(
        request=proofs.request,
        state=state,
        attempt=int(fields["attempt"]),
        started_at=_moment(fields.get("started")),
        finished_at=_moment(fields.get("finished")),
        steps=tuple(map(Step.from_json, steps)),
        plan=proofs.by_worker("plan", plan)["plan"] if plan else None,
        confirm_until=_moment(fields.get("confirm_until")),
        result=end.result if end else None,
        error=error,
        last_event=int(fields["seq"]),
    )


def _refused(id: str, error: ScarError) -> Job:
    """Return the failed job that lists contain in place of one whose record was tampered with."""
    nobody = Actor("scar", "nobody", "nobody")
    request = Request(id, "tampered", None, "", {}, nobody, False, False, 0, 0)
    return Job(request=request, state=JobState.FAILED, error=error.record())


def _moment(text: str | None) -> int | None:
    return moment(text) if text else None
