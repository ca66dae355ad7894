"""The routes of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog
from flask import Blueprint, Flask, Response, g, render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from scar.alerts.alert_book import AlertBook
from scar.api.page import (
    actions,
    admin_views,
    gate,
    job_views,
    live_job,
    live_projects,
    mutes,
    project_views,
    rendering,
    session_views,
    sign_in,
    stats_view,
    views,
)
from scar.api.page.changes import ChangeCounter, newest_jobs
from scar.api.page.parts import EXTENSION, PageParts
from scar.api.page.sessions import Sessions
from scar.api.page.young_answers import YoungAnswers
from scar.bootstrap import Services
from scar.errors import ErrorRecord, ScarError

_SCREENS: Mapping[str, Callable[..., ResponseReturnValue]] = {
    "/": views.projects,
    "/projects/<name>": project_views.project,
    "/projects/<name>/logs": project_views.logs,
    "/projects/<name>/stats": stats_view.stats,
    "/jobs": job_views.jobs,
    "/jobs/<job_id>": job_views.job,
    "/audit": admin_views.audit,
    "/hosts": admin_views.hosts,
    "/projects-file": admin_views.projects_file,
    "/sessions": session_views.sessions,
}
_FORMS: Mapping[str, Callable[..., ResponseReturnValue]] = {
    "/commands": actions.say,
    "/locks/<name>": actions.lock,
    "/alerts/<name>": mutes.mute,
    "/jobs/<job_id>/answer": actions.answer,
    "/jobs/<job_id>/cancel": actions.cancel,
    "/sessions/<ref>/end": session_views.end,
    "/sessions/end-others": session_views.end_others,
    "/sign-out": sign_in.sign_out,
}
_log = structlog.get_logger(__name__)


def register(app: Flask, services: Services) -> None:
    """Add the page to the API's application."""
    sessions = Sessions(services.redis, services.signatures, services.settings)
    book = AlertBook(services.redis, services.signatures)
    locks = services.command_context.locks
    changes = ChangeCounter(
        lambda: (newest_jobs(services.ledger), book.changes(), tuple(locks.records().items()))
    )
    app.extensions[EXTENSION] = PageParts(sessions, YoungAnswers(), changes)
    rendering.register(app)
    app.register_blueprint(_blueprint())


def _blueprint() -> Blueprint:
    blueprint = Blueprint("page", "scar.api.page", template_folder="templates")
    blueprint.before_request(gate.admit)
    blueprint.after_request(gate.protect)
    blueprint.register_error_handler(ScarError, _refused)
    blueprint.register_error_handler(HTTPException, _http)
    blueprint.register_error_handler(Exception, _unexpected)
    for path, shown in _SCREENS.items():
        blueprint.add_url_rule(path, view_func=shown)
    for part in ("diff", "releases", "kept"):
        blueprint.add_url_rule(
            f"/projects/<name>/{part}", view_func=project_views.part, defaults={"part": part}
        )
    for path, done in _FORMS.items():
        blueprint.add_url_rule(path, view_func=done, methods=["POST"])
    blueprint.add_url_rule("/live", "live", live_projects.projects)
    blueprint.add_url_rule("/projects/<name>/live", "project_live", live_projects.project)
    blueprint.add_url_rule("/jobs/<job_id>/live", "job_live", live_job.job)
    blueprint.add_url_rule("/sign-in", "sign_in", sign_in.show)
    blueprint.add_url_rule("/sign-in", "begin", sign_in.begin, methods=["POST"])
    blueprint.add_url_rule("/mini-app", "mini_app", sign_in.mini_app)
    blueprint.add_url_rule("/mini-app", "begin_mini_app", sign_in.begin_mini_app, methods=["POST"])
    return blueprint


def _refused(error: ScarError) -> ResponseReturnValue:
    return _problem(error.record(), error.status)


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return Response(error.get_body(), error.code, error.get_headers())
    record = ErrorRecord("invalid_request", error.description or error.name, "")
    return _problem(record, error.code)


def _unexpected(error: Exception) -> ResponseReturnValue:
    _log.error("page failed unexpectedly", exc_info=error)
    record = ErrorRecord(
        "internal", f"{type(error).__name__} in the page", "The log of the API has the details."
    )
    return _problem(record, 500)


def _problem(error: ErrorRecord, status: int) -> Response:
    """Return a screen with the error, for signed-in visitors and for everybody else."""
    if "session" in g:
        return rendering.page("problem.html", status, error=error)
    body = render_template("problem.html", error=error)
    return Response(body, status, content_type="text/html; charset=utf-8")
