"""The record of a job: its request and its state, and how events change them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from scar.access import Actor
from scar.errors import ErrorRecord, ScarError
from scar.jobs.event import Event
from scar.jobs.job_state import JobState
from scar.jobs.request import Request
from scar.jobs.results.job_kind import JobPlan
from scar.jobs.results.json_record import JsonRecord
from scar.jobs.step import Progress, Step
from scar.jobs.timestamp import milliseconds, rfc3339
from scar.json_object import MALFORMED, JsonObject

__all__ = ["Job", "JobState"]

_PlanT = TypeVar("_PlanT", bound=JobPlan)
_ResultT = TypeVar("_ResultT", bound=JsonRecord)


@dataclass(frozen=True)
class Job:
    """A job: its request, state, steps, plan and result. Times are in milliseconds since the epoch.

    `plan` and `result` are JSON as on Redis and in the API; `read_plan` and `read_result` parse
    them. `output` contains the lines of the `output` events, which the record on Redis does not
    have. `confirmed_at` is when it was confirmed, or queued without a question; it is known only
    from events.
    """

    request: Request
    state: JobState
    attempt: int = 0
    started_at: int | None = None
    finished_at: int | None = None
    steps: tuple[Step, ...] = ()
    plan: JsonObject | None = None
    confirm_until: int | None = None
    result: JsonObject | None = None
    error: ErrorRecord | None = None
    last_event: int = 0
    confirmed_at: int | None = None
    output: tuple[str, ...] = field(default=(), repr=False)

    @property
    def id(self) -> str:
        """The job's id, which is its request's."""
        return self.request.id

    @property
    def about(self) -> str:
        """The job's kind and project, such as `deploy shop`."""
        return f"{self.request.kind} {self.request.project or ''}".rstrip()

    @property
    def awaits_answer(self) -> bool:
        """Whether the job has a plan that a person still has to confirm."""
        return self.state is JobState.AWAITING_CONFIRMATION and self.plan is not None

    @property
    def plan_hash(self) -> str:
        """The hash of the job's plan, which a confirmation must contain; empty without a plan."""
        return self.read_plan(JobPlan).hash

    def read_plan(self, plan: type[_PlanT]) -> _PlanT:
        """Return the plan as the dataclass `plan`, which is empty if the job has no plan yet.

        Raises `internal` if the JSON does not match.
        """
        return plan.from_json(self.plan or {})

    def read_result(self, result: type[_ResultT]) -> _ResultT:
        """Return the result as the dataclass `result`, which is empty if the job has no result.

        Raises `internal` if the JSON does not match.
        """
        return result.from_json(self.result or {})

    def step(self, name: str) -> Step | None:
        """Return the step with this name, or None."""
        return next((step for step in self.steps if step.name == name), None)

    def to_json(self) -> JsonObject:
        """Return the job in the format of the API."""
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
    def from_json(cls, document: JsonObject) -> Job:
        """Parse a job in the format of the API, which omits its expiry and its locks."""
        request = Request(
            id=document["id"],
            kind=document["kind"],
            project=document["project"],
            host=document["host"],
            args=document["args"],
            requested_by=Actor.from_json(document["requested_by"]),
            asks=document["asks"],
            changes=document["changes"],
            created_at=milliseconds(document["created_at"]) or 0,
            expires_at=0,
        )
        return cls(
            request=request,
            state=JobState(document["state"]),
            attempt=document["attempt"],
            started_at=milliseconds(document["started_at"]),
            finished_at=milliseconds(document["finished_at"]),
            steps=tuple(Step.from_json(step) for step in document["steps"]),
            plan=document["plan"],
            confirm_until=milliseconds(document["confirm_until"]),
            result=document["result"],
            error=ErrorRecord.from_json(document["error"]) if document["error"] else None,
            last_event=document["last_event"],
        )

    def after(self, event: Event, *, keep_output: int = 200) -> Job:
        """Return the job after `event` is applied. Only the last `keep_output` lines of output are
        kept.

        An event that was already applied changes nothing. Raises `tampered` for one that cannot be
        read.
        """
        if event.id <= self.last_event:
            return self
        try:
            changed = _FOLD[event.type](self, event) if event.type in _FOLD else self
        except MALFORMED as error:
            raise ScarError(
                "tampered",
                f"Event {event.id} of job {self.id} is none that SCAR writes",
                "Its worker is of another version, or somebody has its key.",
            ) from error
        return replace(changed, last_event=event.id, output=changed.output[-keep_output:])


def _fold_job(job: Job, event: Event) -> Job:
    state = JobState(event.data["state"])
    values: dict[str, Any] = {"state": state}
    if "plan" in event.data:
        values["plan"] = event.data["plan"]
        values["confirm_until"] = event.data.get("confirm_until_ms")
        values["steps"] = ()
        values["confirmed_at"] = None
    error = event.data.get("error")
    if error or not state.ended:
        values["error"] = ErrorRecord.from_json(error) if error else None
    if state in (JobState.QUEUED, JobState.RUNNING):
        values["confirmed_at"] = job.confirmed_at or event.at
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
