"""The routes of the page."""

from __future__ import annotations

import structlog
from flask import Blueprint, Flask, Response, g, render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from scar.api.page import gate, rendering, sign_in, views
from scar.api.page.parts import EXTENSION, PageParts
from scar.api.page.sessions import Sessions
from scar.api.page.young_answers import YoungAnswers
from scar.bootstrap import Services
from scar.errors import ErrorRecord, ScarError

_log = structlog.get_logger(__name__)


def register(app: Flask, services: Services) -> None:
    """Add the page to the API's application."""
    sessions = Sessions(services.redis, services.signatures, services.settings)
    app.extensions[EXTENSION] = PageParts(sessions, YoungAnswers())
    rendering.register(app)
    app.register_blueprint(_blueprint())


def _blueprint() -> Blueprint:
    blueprint = Blueprint("page", "scar.api.page", template_folder="templates")
    blueprint.before_request(gate.admit)
    blueprint.after_request(gate.protect)
    blueprint.register_error_handler(ScarError, _refused)
    blueprint.register_error_handler(HTTPException, _http)
    blueprint.register_error_handler(Exception, _unexpected)
    blueprint.add_url_rule("/", view_func=views.projects)
    blueprint.add_url_rule("/sign-in", "sign_in", sign_in.show)
    blueprint.add_url_rule("/sign-in", "begin", sign_in.begin, methods=["POST"])
    blueprint.add_url_rule("/sign-out", view_func=sign_in.sign_out, methods=["POST"])
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
    """Return a screen that says what happened, for a visitor or somebody who is none."""
    if "session" in g:
        return rendering.page("problem.html", status, error=error)
    body = render_template("problem.html", error=error)
    return Response(body, status, content_type="text/html; charset=utf-8")
