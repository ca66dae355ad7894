"""Reads the records and events of jobs on Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from redis import Redis

from scar.errors import ErrorRecord
from scar.jobs.event import Event, event_of
from scar.jobs.record import Job, JobState
from scar.jobs.request import Request
from scar.jobs.step import Step
from scar.redis_client import redis_errors


class RecordReader:
    """Reads job records; `Ledger` adds the writing methods."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def get(self, id: str) -> Job | None:
        """Return the job with this id, or None."""
        with redis_errors():
            fields = cast("dict[str, str]", self._redis.hgetall(f"scar:job:{id}"))
        return job_of(fields) if fields else None

    def lock_holder(self, resource: str) -> Job | None:
        """Return the unfinished job that has locked the resource (a project or a workspace), or
        None.
        """
        with redis_errors():
            id = cast("str | None", self._redis.get(f"scar:hold:{resource}"))
        job = self.get(id) if id else None
        return job if job and not job.state.ended else None

    def recent(
        self, project: str | None = None, *, before: str | None = None, batch: int = 200
    ) -> Iterator[Job]:
        """Yield jobs, newest first; with `before` (a job's id), only older ones. Reads `batch`
        jobs at a time.
        """
        index = f"scar:jobs:{project}" if project else "scar:jobs"
        top = f"({before}" if before else "+"
        while True:
            with redis_errors():
                ids = cast("list[str]", self._redis.zrevrangebylex(index, top, "-", 0, batch))
                pipe = self._redis.pipeline(transaction=False)
                for id in ids:
                    pipe.hgetall(f"scar:job:{id}")
                records = pipe.execute() if ids else []
            yield from (job_of(fields) for fields in records if fields)
            if len(ids) < batch:
                return
            top = f"({ids[-1]}"

    def events(self, id: str, after: int = 0, *, count: int = 1000) -> list[Event]:
        """Return up to `count` events after the event `after`, oldest first."""
        with redis_errors():
            entries = self._redis.xrange(f"scar:job:{id}:events", f"({after}-0", "+", count)
        return [event_of(entry) for entry in cast("list[Any]", entries)]


def job_of(fields: Mapping[str, str]) -> Job:
    """Parse a job's Redis hash; the docstring of `scar.jobs` describes its fields."""
    error = fields.get("error")
    plan = fields.get("plan_shown")
    result = fields.get("result")
    return Job(
        request=Request.from_json(json.loads(fields["request"])),
        state=JobState(fields["state"]),
        attempt=int(fields["attempt"]),
        started_at=_integer(fields.get("started")),
        finished_at=_integer(fields.get("finished")),
        steps=tuple(Step.from_json(step) for step in json.loads(fields.get("steps", "[]"))),
        plan=json.loads(plan) if plan else None,
        confirm_until=_integer(fields.get("confirm_until")),
        result=json.loads(result) if result else None,
        error=ErrorRecord.from_json(json.loads(error)) if error else None,
        last_event=int(fields["seq"]),
    )


def _integer(text: str | None) -> int | None:
    return int(text) if text else None
