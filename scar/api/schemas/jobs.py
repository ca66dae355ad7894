"""Schemas of `/jobs`: submitting, confirming, listing and reading jobs."""

from __future__ import annotations

from enum import StrEnum

from marshmallow import Schema, ValidationError, fields, validate

from scar.api.schemas.fields import JOB_ID, ClosedSchema, Number, cursor, moment, page, text
from scar.api.schemas.problems import ErrorSchema
from scar.api.schemas.records import RecordByKind
from scar.commands import job_commands
from scar.jobs.record import JobState
from scar.jobs.results import job_kinds
from scar.jobs.step import StepState


def _only_yes(value: str) -> None:
    if value.strip().lower() != "yes":
        raise ValidationError("It is `yes` or left out.")


def _one_of(states: type[StrEnum]) -> validate.OneOf:
    return validate.OneOf([state.value for state in states])


class SubmitSchema(ClosedSchema):
    """Body of `POST /jobs`: the kind of job, its project and its arguments."""

    # No list of choices: the view's error suggests the kind with the most similar name.
    kind = fields.String(
        required=True, validate=validate.Length(1, 64), metadata={"enum": list(job_commands())}
    )
    project = fields.String(allow_none=True, validate=validate.Length(1, 200))
    args = fields.Dict(keys=fields.String(), metadata={"description": "The kind's arguments"})
    confirm = fields.String(
        allow_none=True,
        validate=_only_yes,
        metadata={"pattern": "^[ \\t]*[yY][eE][sS][ \\t]*$", "description": "`yes`"},
    )


class AnswerSchema(ClosedSchema):
    """Body of `POST /jobs/{id}/confirm`: `yes`, or anything else to cancel the job."""

    answer = fields.String(required=True, validate=validate.Length(max=200))
    shown = fields.String(
        allow_none=True,
        validate=validate.Length(max=200),
        metadata={
            "description": "`plan.hash` of the plan that was shown, to confirm no other. Clients "
            "of the API that leave it out mean the plan of this moment; people name it."
        },
    )


class JobsQuery(ClosedSchema):
    """Query of `GET /jobs`: filters, and the size of the page."""

    project = fields.String(validate=validate.Length(1, 200))
    state = fields.String(validate=_one_of(JobState))
    kind = fields.String(validate=validate.Length(1, 64))
    mine = fields.Boolean(metadata={"description": "Only those that you asked for"})
    limit = Number(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(validate=validate.Regexp(JOB_ID))


class ActorSchema(Schema):
    """The person, API client or schedule that requested the job."""

    frontend = text()
    id = text()
    name = text()
    role = text(none=True)


class ProgressSchema(Schema):
    """Progress of a step, such as 3 of 10 files."""

    done = fields.Integer(required=True)
    total = fields.Integer(required=True)
    unit = text()


class StepSchema(Schema):
    """A part of a job's work, such as `copying` or `building`."""

    name = text()
    title = text()
    state = fields.String(required=True, validate=_one_of(StepState))
    started_at = moment(none=True)
    finished_at = moment(none=True)
    progress = fields.Nested(ProgressSchema, required=True, allow_none=True)
    detail = text(none=True)


class JobSchema(Schema):
    """A job: its request, state, plan, steps and result."""

    id = text(pattern=JOB_ID)
    kind = text()
    project = text(none=True)
    host = text()
    args = fields.Dict(required=True)
    state = fields.String(required=True, validate=_one_of(JobState))
    requested_by = fields.Nested(ActorSchema, required=True)
    created_at = moment()
    started_at = moment(none=True)
    finished_at = moment(none=True)
    attempt = fields.Integer(required=True)
    asks = fields.Boolean(required=True)
    changes = fields.Boolean(required=True)
    confirm_until = moment(none=True)
    plan = RecordByKind({name: kind.plan for name, kind in job_kinds().items() if kind.plan})
    steps = fields.List(fields.Nested(StepSchema), required=True)
    result = RecordByKind({name: kind.result for name, kind in job_kinds().items()})
    error = fields.Nested(ErrorSchema, required=True, allow_none=True)
    last_event = fields.Integer(required=True)


JobsPage = page("JobsPage", fields.Nested(JobSchema), cursor())
