"""The shapes of the API: what requests are checked by, and what `/openapi.json` says of answers.

Answers are not dumped through these: records write themselves as JSON (`Job.to_json`), and the
tests hold the two together.
"""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from scar.commands import job_commands
from scar.jobs.record import JobState
from scar.jobs.step import StepState

JOB_ID = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"


def _text(required: bool = True, *, none: bool = False, **about: Any) -> fields.String:
    return fields.String(required=required, allow_none=none, metadata=about)


def _moment(*, none: bool = False) -> fields.String:
    return _text(none=none, format="date-time")


class Number(fields.Integer):
    """A whole number in plain ASCII digits, as a query has it."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = str(value)
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise ValidationError("Not a whole number.")
        return super()._deserialize(text, *args, **kwargs)


class Seconds(fields.Float):
    """A number of seconds in plain ASCII digits, as a query has it."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = str(value)
        if not (text.isascii() and text.replace(".", "", 1).isdigit() and len(text) <= 15):
            raise ValidationError("Not a number of seconds.")
        return super()._deserialize(text, *args, **kwargs)


class _Closed(Schema):
    """A part of a request: what it does not name is refused."""

    class Meta:
        unknown = RAISE


def _yes(value: str) -> None:
    if value.strip().lower() != "yes":
        raise ValidationError("It is `yes` or left out.")


class SubmitSchema(_Closed):
    """A request for a job."""

    # Checked by the view, which knows the nearest one.
    kind = fields.String(
        required=True, validate=validate.Length(1, 64), metadata={"enum": list(job_commands())}
    )
    project = fields.String(allow_none=True, validate=validate.Length(1, 200))
    args = fields.Dict(keys=fields.String(), metadata={"description": "The kind's arguments"})
    confirm = fields.String(
        allow_none=True,
        validate=_yes,
        metadata={"pattern": "^[ \\t]*[yY][eE][sS][ \\t]*$", "description": "`yes`"},
    )


class AnswerSchema(_Closed):
    """The answer to a job's question."""

    answer = fields.String(required=True, validate=validate.Length(max=200))
    shown = fields.String(
        allow_none=True,
        validate=validate.Length(max=200),
        metadata={"description": "`plan.hash` of the plan that was shown, to confirm no other"},
    )


class JobsQuery(_Closed):
    """Which jobs, and how many."""

    project = fields.String(validate=validate.Length(1, 200))
    state = fields.String(validate=validate.OneOf([state.value for state in JobState]))
    kind = fields.String(validate=validate.Length(1, 64))
    limit = Number(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(validate=validate.Regexp(JOB_ID))


class ReleasesQuery(_Closed):
    """How many releases."""

    limit = Number(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(validate=validate.Regexp(JOB_ID))


class EventsQuery(_Closed):
    """From where, and how long to wait for something new, in seconds."""

    after = Number(validate=validate.Range(0))
    wait = Seconds(validate=validate.Range(0, 60))
    limit = Number(load_default=1000, validate=validate.Range(1, 1000))


class AuditQuery(_Closed):
    """How many lines."""

    limit = Number(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(validate=validate.Regexp(r"^[1-9][0-9]{0,14}-[0-9]{1,9}$"))


class LogsQuery(_Closed):
    """How many lines, of which container."""

    lines = Number(validate=validate.Range(1, 5000))
    container = fields.String(validate=validate.Length(1, 128))


class FollowQuery(_Closed):
    """Which container."""

    container = fields.String(validate=validate.Length(1, 128))


class ProblemSchema(Schema):
    """RFC 9457, with SCAR's code and what to do."""

    type = _text()
    title = _text()
    status = fields.Integer(required=True)
    detail = _text(description="What happened, to what")
    code = _text(description="Stable, for programs")
    hint = _text(description="What to do")
    lines = fields.List(fields.String())
    errors = fields.Dict()
    job = fields.Dict()


class ActorSchema(Schema):
    """Who asked."""

    frontend = _text()
    id = _text()
    name = _text()
    role = _text(none=True)


class ProgressSchema(Schema):
    """How much of a step is done."""

    done = fields.Integer(required=True)
    total = fields.Integer(required=True)
    unit = _text()


class StepSchema(Schema):
    """A named part of a job."""

    name = _text()
    title = _text()
    state = fields.String(
        required=True, validate=validate.OneOf([state.value for state in StepState])
    )
    started_at = _moment(none=True)
    finished_at = _moment(none=True)
    progress = fields.Nested(ProgressSchema, required=True, allow_none=True)
    detail = _text(none=True)


class ErrorSchema(Schema):
    """Why a job did not succeed, or does not begin."""

    code = _text()
    message = _text()
    hint = _text()
    lines = fields.List(fields.String())


class JobSchema(Schema):
    """A request and everything that came of it."""

    id = _text(pattern=JOB_ID)
    kind = _text()
    project = _text(none=True)
    host = _text()
    args = fields.Dict(required=True)
    state = fields.String(
        required=True, validate=validate.OneOf([state.value for state in JobState])
    )
    requested_by = fields.Nested(ActorSchema, required=True)
    created_at = _moment()
    started_at = _moment(none=True)
    finished_at = _moment(none=True)
    attempt = fields.Integer(required=True)
    asks = fields.Boolean(required=True)
    changes = fields.Boolean(required=True)
    confirm_until = _moment(none=True)
    plan = fields.Dict(required=True, allow_none=True)
    steps = fields.List(fields.Nested(StepSchema), required=True)
    result = fields.Dict(required=True, allow_none=True)
    error = fields.Nested(ErrorSchema, required=True, allow_none=True)
    last_event = fields.Integer(required=True)


class EventSchema(Schema):
    """One line of a job's history: `job`, `step`, `progress`, `output` or `result`."""

    id = fields.Integer(required=True)
    type = _text()
    at = _moment()
    data = fields.Dict(required=True)


class ProjectSchema(Schema):
    """An entry of the projects file, defaults filled in."""

    name = _text()
    workspace = _text()
    production = _text()
    compose_project = _text()
    containers = fields.List(fields.String(), required=True)
    primary_container = _text(none=True)
    auto_detect = fields.Boolean(required=True)
    host = _text()
    # `Schema.exclude` is marshmallow's own.
    excluded = fields.List(fields.String(), required=True, data_key="exclude")
    health_timeout = fields.Integer(required=True)
    keep_releases = fields.Integer(required=True)
    auto_deploy = fields.Dict(required=True, allow_none=True)
    alerts = fields.List(fields.String(), required=True)
    roles = fields.Dict(required=True)
    protected = fields.List(fields.String(), required=True)
    agent = _text(none=True)


class ProjectAnswerSchema(ProjectSchema):
    """A project, and what is wrong with the projects file now."""

    problem = fields.Nested(ErrorSchema, required=True, allow_none=True)


class WorkerSchema(Schema):
    """A worker that gave a sign of life."""

    id = _text()
    pid = fields.Integer(required=True, allow_none=True)
    started_at = _moment(none=True)


class HostSchema(Schema):
    """A host with at least one live worker."""

    name = _text()
    workers = fields.List(fields.Nested(WorkerSchema), required=True)
    engine = fields.Dict(required=True, metadata={"description": "`version`, or `error`"})
    queue_length = fields.Integer(required=True)


class AuditSchema(Schema):
    """A line of the trail."""

    id = _text()
    at = _moment()
    actor = _text()
    name = _text()
    action = _text()
    project = _text(none=True)
    job = _text(none=True)
    outcome = _text()


def _page(name: str, item: type[Schema], next_: fields.Field[Any], **more: Any) -> type[Schema]:
    """The shape that every list of the API has."""
    items = fields.List(fields.Nested(item), required=True)
    return Schema.from_dict({"items": items, "next": next_, **more}, name=name)


_cursor = _text(none=True)
JobsPage = _page("JobsPage", JobSchema, _cursor)
EventsPage = _page("EventsPage", EventSchema, fields.Integer(required=True, allow_none=True))
ProjectsPage = _page(
    "ProjectsPage",
    ProjectSchema,
    _cursor,
    problem=fields.Nested(ErrorSchema, required=True, allow_none=True),
)
HostsPage = _page("HostsPage", HostSchema, _cursor)
AuditPage = _page("AuditPage", AuditSchema, _cursor)
ReleasesPage = Schema.from_dict(
    {"items": fields.List(fields.Dict(), required=True), "next": _cursor}, name="ReleasesPage"
)


class AliveSchema(Schema):
    """The process answers."""

    status = _text()


class DeliverySchema(Schema):
    """What became of a delivery: `taken`, `known` (it was taken before) or `ignored`."""

    status = _text()


class ReadySchema(Schema):
    """Redis and workers can be reached."""

    status = _text()
    hosts = fields.Integer(required=True)
