"""`/projects`: the projects as configured, and the results of jobs that read their state.

`status`, `logs`, `stats`, `diff` and `releases` submit a job of that kind and wait for it: 200 with
the job's result, the job's error as a problem document, or 202 with the job if it takes longer than
`SCAR_WAIT_SECONDS` or the host has no worker. `Location` names the job in each case.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import structlog
from flask import Response, request
from marshmallow import Schema

from scar.access import Actor
from scar.api.auth import actor, known_everywhere, visible_project, visible_projects
from scar.api.context import ApiContext, context
from scar.api.errors import job_problem
from scar.api.events import STREAM, STREAMED, stream
from scar.api.jobs import accepted, location, submit
from scar.api.resource import Resource, View, answer
from scar.api.schemas.jobs import JobSchema
from scar.api.schemas.projects import (
    FollowQuery,
    LogsQuery,
    ProjectAnswerSchema,
    ProjectsPage,
    ReleasesPage,
    ReleasesQuery,
    StatsQuery,
)
from scar.commands.job_command import JobCommand
from scar.errors import ScarError
from scar.jobs.record import Job, JobState
from scar.jobs.results.deploy import DeployPlan
from scar.jobs.results.history import HistoryResult
from scar.jobs.results.json_record import schema_of
from scar.jobs.results.logs import LogTail
from scar.jobs.results.stats import StatsResult
from scar.jobs.results.status import StatusResult
from scar.jobs.stream import ends
from scar.json_object import JsonObject
from scar.projects import Project
from scar.redaction import mask

_log = structlog.get_logger(__name__)

resource = Resource("projects", __name__, description="Projects, and what their commands answer")
_NAME = [{"in": "path", "name": "name", "schema": {"type": "string"}}]
_LOCATION = {"Location": {"description": "The job", "schema": {"type": "string"}}}


def _shown(project: Project) -> JsonObject:
    entry = dict(project.to_json())
    if entry["agent"] is not None:
        entry["agent"] = mask(entry["agent"])
    return entry


def _problem(name: str | None = None) -> JsonObject | None:
    """Return the error in the projects file, or what the Engine of its host finds wrong with the
    project `name`. Errors of the whole file are shown only to actors who may see every project.
    """
    services = context().services
    problem = services.projects.problem if known_everywhere() else None
    if problem is None:
        wrong = services.command_context.problems()
        shown = visible_projects() if known_everywhere() else {}
        problem = next((wrong[at] for at in ([name] if name else shown) if at in wrong), None)
    return problem.to_json() if problem else None


@resource.route("/projects")
@resource.response(200, ProjectsPage)
@resource.alt_response(401, response="UNAUTHORIZED")
def projects() -> Response:
    """The projects that you may see, as in force, and what is wrong with the file"""
    items = [_shown(project) for project in visible_projects().values()]
    return answer({"items": items, "next": None, "problem": _problem()})


@resource.route("/projects/<name>", parameters=_NAME)
@resource.response(200, ProjectAnswerSchema)
@resource.alt_response(401, response="UNAUTHORIZED")
@resource.alt_response(404, response="NOT_FOUND")
def project(name: str) -> Response:
    """A project as in force, and what is wrong with the file"""
    return answer({**_shown(visible_project(name)), "problem": _problem(name)})


def _answers(schema: type[Schema]) -> Callable[[View], View]:
    """Add to a view's OpenAPI entry the responses of every route that submits a job and waits
    for it.
    """

    def document(view: View) -> View:
        view = resource.response(200, schema, headers=_LOCATION)(view)
        view = resource.alt_response(
            202, schema=JobSchema, description="The job, not done yet", headers=_LOCATION
        )(view)
        view = resource.alt_response(401, response="UNAUTHORIZED")(view)
        view = resource.alt_response(429, response="TOO_MANY_REQUESTS")(view)
        return resource.alt_response(404, response="NOT_FOUND")(view)

    return document


@resource.route("/projects/<name>/status", parameters=_NAME)
@_answers(schema_of(StatusResult))
def status(name: str) -> Response:
    """What runs in production"""
    return _result(_ask("status", name, {}))


@resource.route("/projects/<name>/stats", parameters=_NAME)
@resource.arguments(StatsQuery, location="query")
@_answers(schema_of(StatsResult))
def stats(query: JsonObject, name: str) -> Response:
    """CPU, memory, network and disk of each container, now and where asked over a time"""
    return _result(_ask("stats", name, query))


@resource.route("/projects/<name>/diff", parameters=_NAME)
@_answers(schema_of(DeployPlan))
def diff(name: str) -> Response:
    """What a deploy would change"""
    return _result(_ask("diff", name, {}))


@resource.route("/projects/<name>/logs", parameters=_NAME)
@resource.arguments(LogsQuery, location="query")
@_answers(schema_of(LogTail))
def logs(query: JsonObject, name: str) -> Response:
    """The last log lines of the primary container, or of another"""
    return _result(_ask("logs", name, query))


@resource.route("/projects/<name>/releases", parameters=_NAME)
@resource.arguments(ReleasesQuery, location="query")
@_answers(ReleasesPage)
def releases(query: JsonObject, name: str) -> Response:
    """The releases, newest first"""
    job = _ask("history", name, {})
    if job.state is not JobState.SUCCEEDED:
        return _result(job)
    cursor = query.get("cursor")
    rows = job.read_result(HistoryResult).releases
    rest = [row for row in rows if cursor is None or row.id < cursor]
    page = rest[: query["limit"]]
    body = {
        "items": [row.to_json() for row in page],
        "next": page[-1].id if len(rest) > len(page) else None,
    }
    return answer(body, Location=location(job.id))


@resource.route("/projects/<name>/logs/follow", parameters=_NAME)
@resource.arguments(FollowQuery, location="query")
@resource.response(
    200,
    STREAMED,
    content_type=STREAM,
    description="The job's events; `output` has the lines",
)
@resource.alt_response(401, response="UNAUTHORIZED")
@resource.alt_response(404, response="NOT_FOUND")
@resource.alt_response(429, response="TOO_MANY_REQUESTS")
def follow(query: JsonObject, name: str) -> Response:
    """Log lines as they are written, until the client disconnects"""
    command, followed = _command("follow"), visible_project(name)
    if request.method == "HEAD":
        return Response(content_type=f"{STREAM}; charset=utf-8")
    job = submit(command, followed, query)
    try:
        return stream(job, on_close=partial(_stop, context(), actor(), job.id))
    except Exception:
        _stop(context(), actor(), job.id)
        raise


def _stop(shared: ApiContext, who: Actor, id: str) -> None:
    """Cancel a job because the client that followed its output has disconnected."""
    try:
        job = shared.services.ledger.get(id)
        if job is not None and not job.state.ended:
            shared.services.job_service.cancel(who, id)
    except ScarError as error:
        _log.warning("job of a reader who left not cancelled", job=id, reason=error.message)


def _command(kind: str) -> JobCommand:
    command = context().services.job_service.commands.get(kind)
    if command is None:
        raise ScarError(
            "not_found", f"This SCAR does not know '{kind}'", "/docs lists every route."
        )
    return command


def _ask(kind: str, name: str, args: JsonObject) -> Job:
    """Submit a job, wait for it at most `SCAR_WAIT_SECONDS`, and return it as it is then."""
    command, shared = _command(kind), context()
    seconds = shared.services.settings.wait_seconds
    project = visible_project(name)
    with shared.waits.during(actor()):
        job = submit(command, project, args)
        if job.error is not None or seconds <= 0:
            return job
        for event in shared.events.follow(job.id, seconds=seconds):
            if event is not None and ends(event):
                break
    return shared.services.job_service.get(job.id)


def _result(job: Job) -> Response:
    if not job.state.ended:
        return accepted(job)
    where = location(job.id)
    if job.state is JobState.SUCCEEDED:
        return answer(job.result or {}, Location=where)
    if job.error is None:
        raise ScarError("internal", f"Job {job.id} ended without a reason", "See SCAR's log.")
    response = job_problem(job.error, job.to_json())
    response.headers["Location"] = where
    return response
