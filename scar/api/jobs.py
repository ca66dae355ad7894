"""`/jobs`: submit a job, confirm or cancel it, and read it."""

from __future__ import annotations

from http import HTTPStatus
from itertools import islice
from typing import Any

from flask import Response, request

from scar.api.auth import (
    actor,
    may_see,
    visible_job,
    visible_project,
    visible_projects,
    voucher,
)
from scar.api.context import context
from scar.api.resource import Resource, answer
from scar.api.schemas.jobs import AnswerSchema, JobSchema, JobsPage, JobsQuery, SubmitSchema
from scar.commands.job_command import JobCommand
from scar.errors import ScarError, nearest
from scar.jobs.record import Job
from scar.json_object import JsonObject
from scar.projects import Project

_SCAN_LIMIT = 5000
_MAX_KEY = 255

resource = Resource("jobs", __name__, description="Requests and everything that came of them")
_ID = [{"in": "path", "name": "job_id", "schema": {"type": "string"}}]
_LOCATION = {"Location": {"description": "The job", "schema": {"type": "string"}}}
_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "The same key gives the same job, for a day",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": _MAX_KEY,
        "pattern": "^[!-~]+$",
    },
}


def accepted(job: Job) -> Response:
    """Return a 202 response with the job, and its URL in `Location`."""
    return answer(job.to_json(), HTTPStatus.ACCEPTED, Location=location(job.id))


def location(id: str) -> str:
    """Return the URL path of a job."""
    return f"/api/v1/jobs/{id}"


def submit(command: JobCommand, project: Project | None, args: JsonObject, **options: Any) -> Job:
    """Submit a job for the actor of the current request; `args` are the arguments in the
    request, unchecked.
    """
    job_service = context().services.job_service
    arguments = command.arguments(args)
    return job_service.submit(actor(), command, project, arguments, voucher=voucher(), **options)


@resource.route("/jobs", methods=["POST"])
@resource.arguments(SubmitSchema)
@resource.response(202, JobSchema, description="The job", headers=_LOCATION)
@resource.alt_response(401, response="UNAUTHORIZED")
@resource.alt_response(409, response="CONFLICT")
@resource.doc(parameters=[_KEY])
def ask(body: JsonObject) -> Response:
    """Ask for a job

    A kind that asks `yes` and comes without `"confirm": "yes"` awaits its confirmation.
    """
    command = _command(body["kind"])
    job = submit(
        command,
        _project(command, body.get("project")),
        body.get("args", {}),
        confirmed=body.get("confirm") is not None,
        idempotency_key=_idempotency_key(),
    )
    return accepted(job)


def _command(kind: str) -> JobCommand:
    commands = context().services.job_service.commands
    if kind not in commands:
        raise ScarError(
            "invalid_request",
            f"There is no kind of job '{kind[:64]}'",
            f"{nearest(kind, list(commands))} Known are: {', '.join(commands)}.".strip(),
        )
    return commands[kind]


def _project(command: JobCommand, name: str | None) -> Project | None:
    services = context().services
    if not command.for_project:
        if name is not None:
            raise command.misuse(f"'{command.kind}' is for no project")
        return None
    chosen = services.default_project().name if name is None else name
    try:
        return visible_project(chosen)
    except ScarError as refusal:
        outcome = f"refused: {refusal.code}"
        services.audit.write_refusal(actor(), command.kind, outcome, project=chosen)
        raise


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= _MAX_KEY or not key.isascii() or not key.isprintable():
        raise ScarError(
            "invalid_request",
            "This Idempotency-Key cannot be used",
            f"It has 1 to {_MAX_KEY} printable ASCII characters.",
        )
    return key


@resource.route("/jobs", methods=["GET"])
@resource.arguments(JobsQuery, location="query")
@resource.response(200, JobsPage)
@resource.alt_response(401, response="UNAUTHORIZED")
def latest(query: JsonObject) -> Response:
    """The jobs that you may see, newest first

    A page may hold fewer than `limit` although there are more: `next` alone says so.
    """
    name = query.get("project")
    if name is not None:
        visible_project(name)
    else:
        visible_projects()
    filtered = any(name in query for name in ("state", "kind", "mine"))
    batch = 200 if filtered else query["limit"] + 1
    jobs = context().services.ledger.recent(name, before=query.get("cursor"), batch=batch)
    page: list[Job] = []
    last = None
    for job in islice(jobs, _SCAN_LIMIT):
        last = job.id
        if _matches(job, query):
            page.append(job)
        if len(page) == query["limit"]:
            break
    more = last is not None and next(jobs, None) is not None
    return answer({"items": [j.to_json() for j in page], "next": last if more else None})


def _matches(job: Job, query: JsonObject) -> bool:
    return (
        query.get("state") in (None, job.state.value)
        and query.get("kind") in (None, job.request.kind)
        and (not query.get("mine") or job.request.requested_by == actor())
        and may_see(job)
    )


@resource.route("/jobs/<job_id>", methods=["GET"], parameters=_ID)
@resource.response(200, JobSchema)
@resource.alt_response(401, response="UNAUTHORIZED")
@resource.alt_response(404, response="NOT_FOUND")
def one(job_id: str) -> Response:
    """A job, with its state, plan, steps and result"""
    return answer(visible_job(job_id).to_json())


@resource.route("/jobs/<job_id>/confirm", methods=["POST"], parameters=_ID)
@resource.arguments(AnswerSchema)
@resource.response(202, JobSchema, description="The job", headers=_LOCATION)
@resource.alt_response(401, response="UNAUTHORIZED")
@resource.alt_response(404, response="NOT_FOUND")
@resource.alt_response(409, response="CONFLICT")
def confirm(body: JsonObject, job_id: str) -> Response:
    """Answer a job's question

    `yes` queues it; anything else drops it.
    """
    job = visible_job(job_id)
    job_service = context().services.job_service
    answer, shown = body["answer"], body.get("shown")
    return accepted(job_service.confirm(actor(), job.id, answer, shown=shown, voucher=voucher()))


@resource.route("/jobs/<job_id>/cancel", methods=["POST"], parameters=_ID)
@resource.response(202, JobSchema, description="The job", headers=_LOCATION)
@resource.alt_response(401, response="UNAUTHORIZED")
@resource.alt_response(404, response="NOT_FOUND")
@resource.alt_response(409, response="CONFLICT")
def cancel(job_id: str) -> Response:
    """Cancel a job that is queued or runs"""
    job = visible_job(job_id)
    job_service = context().services.job_service
    return accepted(job_service.cancel(actor(), job.id, voucher=voucher()))
