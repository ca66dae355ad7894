"""What a job is: its request, its state, its steps and the events that led there."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, overload

from scar.access import Actor
from scar.errors import ErrorRecord

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_job_id(now: float | None = None) -> str:
    """A ULID: 48 bits of milliseconds, 80 random bits, in Crockford's base 32; sorts by time.

    `now` is in seconds since the epoch.
    """
    stamp = int((time.time() if now is None else now) * 1000)
    number = (stamp << 80) | int.from_bytes(os.urandom(10))
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -5, -5))


def time_of_id(id: str) -> int:
    """When a job of that id was made, in milliseconds since the epoch."""
    number = 0
    for letter in id:
        number = number << 5 | _CROCKFORD.index(letter)
    return number >> 80


_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}", re.IGNORECASE)


def is_job_id(text: str) -> bool:
    """Whether this has the form of a job's id, which is a release's too."""
    return _ID.fullmatch(text) is not None


def oldest_id_at(seconds: float) -> str:
    """The smallest id a job created at `seconds` since the epoch can have."""
    number = int(seconds * 1000) << 80
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -5, -5))


class JobState(StrEnum):
    """Where a job is in its life."""

    AWAITING_CONFIRMATION = "awaiting_confirmation"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self not in (self.AWAITING_CONFIRMATION, self.QUEUED, self.RUNNING)


class StepState(StrEnum):
    """Where a step is in its life."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Progress:
    """How much of a step is done, in `unit`s (files, build steps, containers)."""

    done: int
    total: int
    unit: str

    def to_json(self) -> dict[str, Any]:
        """`{"done", "total", "unit"}`."""
        return {"done": self.done, "total": self.total, "unit": self.unit}


@dataclass(frozen=True)
class Step:
    """A named part of a job. Times are milliseconds since the epoch."""

    name: str
    title: str
    state: StepState = StepState.PENDING
    started_at: int | None = None
    finished_at: int | None = None
    progress: Progress | None = None
    detail: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A step as the API and the `step` event show it."""
        return {
            "name": self.name,
            "title": self.title,
            "state": self.state.value,
            "started_at": rfc3339(self.started_at),
            "finished_at": rfc3339(self.finished_at),
            "progress": self.progress.to_json() if self.progress else None,
            "detail": self.detail,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Step:
        """The reverse of `to_json`."""
        progress = found.get("progress")
        return cls(
            name=found["name"],
            title=found["title"],
            state=StepState(found["state"]),
            started_at=milliseconds(found.get("started_at")),
            finished_at=milliseconds(found.get("finished_at")),
            progress=Progress(**progress) if progress else None,
            detail=found.get("detail"),
        )


@dataclass(frozen=True)
class Event:
    """One line of a job's history. `id` grows by one; `at` is milliseconds since the epoch."""

    id: int
    type: str
    at: int
    data: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """An event as the API's lists show it."""
        return {"id": self.id, "type": self.type, "at": rfc3339(self.at), "data": dict(self.data)}

    @cached_property
    def sse(self) -> bytes:
        """The event as a Server-Sent Event (WHATWG HTML, section 9.2), made once for all who
        watch."""
        data = json.dumps(self.to_json(), separators=(",", ":"))
        return f"id: {self.id}\nevent: {self.type}\ndata: {data}\n\n".encode()

    @cached_property
    def chunk(self) -> bytes:
        """The same as a chunk of an HTTP/1.1 body."""
        return b"%x\r\n%b\r\n" % (len(self.sse), self.sse)


@dataclass(frozen=True)
class Request:
    """What was asked, by whom: the part of a job that is signed and never changes.

    `holds` names what no other open job may hold beside it (a project, a workspace), `respects`
    what none may hold when it begins.
    """

    id: str
    kind: str
    project: str | None
    host: str
    args: Mapping[str, Any]
    requested_by: Actor
    asks: bool
    changes: bool
    created_at: int
    expires_at: int
    locks: tuple[str, ...] = ()
    requires_free: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The signed form."""
        return {
            "id": self.id,
            "kind": self.kind,
            "project": self.project,
            "host": self.host,
            "args": dict(self.args),
            "requested_by": self.requested_by.to_json(),
            "asks": self.asks,
            "changes": self.changes,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "locks": list(self.locks),
            "requires_free": list(self.requires_free),
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Request:
        """The reverse of `to_json`."""
        values = dict(found)
        values["requested_by"] = Actor.from_json(values["requested_by"])
        # Jobs of an earlier version have neither: they held the project that they change.
        held = (values["project"],) if values["changes"] and values["project"] else ()
        values["locks"] = tuple(values.get("locks", values.pop("holds", held)))
        values["requires_free"] = tuple(values.get("requires_free", values.pop("respects", ())))
        return cls(**values)


@dataclass(frozen=True)
class Job:
    """A request and everything that came of it. Times are milliseconds since the epoch."""

    request: Request
    state: JobState
    attempt: int = 0
    started_at: int | None = None
    finished_at: int | None = None
    steps: tuple[Step, ...] = ()
    plan: Mapping[str, Any] | None = None
    confirm_until: int | None = None
    result: Mapping[str, Any] | None = None
    error: ErrorRecord | None = None
    last_event: int = 0
    output: tuple[str, ...] = field(default=(), repr=False)

    @property
    def id(self) -> str:
        """The request's id."""
        return self.request.id

    @property
    def about(self) -> str:
        """`deploy shop`: what it does, to what."""
        return f"{self.request.kind} {self.request.project or ''}".rstrip()

    def step(self, name: str) -> Step | None:
        """The step of that name, if the job has one."""
        return next((step for step in self.steps if step.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """A job as the API shows it."""
        request = self.request
        return {
            "id": request.id,
            "kind": request.kind,
            "project": request.project,
            "host": request.host,
            "args": dict(request.args),
            "state": self.state.value,
            "requested_by": request.requested_by.to_json(),
            "created_at": rfc3339(request.created_at),
            "started_at": rfc3339(self.started_at),
            "finished_at": rfc3339(self.finished_at),
            "attempt": self.attempt,
            "asks": request.asks,
            "changes": request.changes,
            "confirm_until": rfc3339(self.confirm_until),
            "plan": dict(self.plan) if self.plan is not None else None,
            "steps": [step.to_json() for step in self.steps],
            "result": dict(self.result) if self.result is not None else None,
            "error": self.error.to_json() if self.error else None,
            "last_event": self.last_event,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Job:
        """A job as read from the API."""
        request = Request(
            id=found["id"],
            kind=found["kind"],
            project=found["project"],
            host=found["host"],
            args=found["args"],
            requested_by=Actor.from_json(found["requested_by"]),
            asks=found["asks"],
            changes=found["changes"],
            created_at=milliseconds(found["created_at"]) or 0,
            expires_at=0,
        )
        return cls(
            request=request,
            state=JobState(found["state"]),
            attempt=found["attempt"],
            started_at=milliseconds(found["started_at"]),
            finished_at=milliseconds(found["finished_at"]),
            steps=tuple(Step.from_json(step) for step in found["steps"]),
            plan=found["plan"],
            confirm_until=milliseconds(found["confirm_until"]),
            result=found["result"],
            error=ErrorRecord.from_json(found["error"]) if found["error"] else None,
            last_event=found["last_event"],
        )

    def after(self, event: Event, *, keep_output: int = 200) -> Job:
        """The job once `event` has happened. Of the output, the last `keep_output` lines stay."""
        if event.id <= self.last_event:
            return self
        changed = _FOLD[event.type](self, event) if event.type in _FOLD else self
        return replace(changed, last_event=event.id, output=changed.output[-keep_output:])


def _fold_job(job: Job, event: Event) -> Job:
    state = JobState(event.data["state"])
    values: dict[str, Any] = {"state": state}
    if "plan" in event.data:
        values["plan"] = event.data["plan"]
        values["confirm_until"] = event.data.get("confirm_until_ms")
        values["steps"] = ()
    error = event.data.get("error")
    if error or not state.ended:
        values["error"] = ErrorRecord.from_json(error) if error else None
    if state is JobState.RUNNING:
        values["attempt"] = event.data.get("attempt", job.attempt)
        values["started_at"] = job.started_at or event.at
    if state.ended:
        values["finished_at"] = event.at
    return replace(job, **values)


def _fold_step(job: Job, event: Event) -> Job:
    step = Step.from_json(event.data)
    if job.step(step.name) is None:
        return replace(job, steps=(*job.steps, step))
    return replace(job, steps=tuple(step if s.name == step.name else s for s in job.steps))


def _fold_progress(job: Job, event: Event) -> Job:
    name = event.data["step"]
    progress = Progress(event.data["done"], event.data["total"], event.data["unit"])
    steps = tuple(replace(s, progress=progress) if s.name == name else s for s in job.steps)
    return replace(job, steps=steps)


def _fold_output(job: Job, event: Event) -> Job:
    return replace(job, output=(*job.output, event.data["line"]))


def _fold_result(job: Job, event: Event) -> Job:
    error = event.data.get("error")
    return replace(
        job,
        result=event.data.get("result"),
        error=ErrorRecord.from_json(error) if error else job.error,
    )


_FOLD = {
    "job": _fold_job,
    "step": _fold_step,
    "progress": _fold_progress,
    "output": _fold_output,
    "result": _fold_result,
}


@overload
def rfc3339(at: int) -> str: ...


@overload
def rfc3339(at: None) -> None: ...


@overload
def rfc3339(at: int | None) -> str | None: ...


def rfc3339(at: int | None) -> str | None:
    """Milliseconds since the epoch as `2026-01-31T12:00:00.123Z`."""
    if at is None:
        return None
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"


def milliseconds(text: str | None) -> int | None:
    """The reverse of `rfc3339`."""
    if text is None:
        return None
    return round(datetime.fromisoformat(text).timestamp() * 1000)
