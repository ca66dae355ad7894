"""Turns every error of the API into an RFC 9457 problem document with SCAR's error code and
hint.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, InternalServerError

from scar.errors import STATUS, ErrorRecord, ScarError
from scar.json_object import JsonObject

PROBLEM = "application/problem+json"
_log = structlog.get_logger(__name__)

_CODES = {
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_TIMEOUT: "timeout",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    HTTPStatus.TOO_MANY_REQUESTS: "too_many_requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "overloaded",
}
_HINTS = {
    HTTPStatus.BAD_REQUEST: "Send one JSON object; /docs shows what this route takes.",
    HTTPStatus.NOT_FOUND: "/docs lists every route.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The header Allow names the methods of this route.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "A request body has at most 1 MiB.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Send JSON with Content-Type: application/json.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "/docs shows what this route takes.",
    HTTPStatus.TOO_MANY_REQUESTS: "Close some, or wait until they have ended; then ask again.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Ask again in a few seconds.",
}


def codes() -> dict[str, int]:
    """Return every error code that a response may carry, with its HTTP status."""
    return {**STATUS, **{code: status for status, code in _CODES.items() if code not in STATUS}}


def problem(
    status: int, code: str, detail: str, hint: str, more: JsonObject | None = None
) -> Response:
    """Return an error response with a problem document; its `type` links to the code's entry in
    `/docs`.
    """
    body = {
        "type": f"/docs#{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "hint": hint,
        **(more or {}),
    }
    answer = Response(json.dumps(body), status, content_type=PROBLEM)
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="SCAR"'
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        answer.headers["Retry-After"] = "2"
    return answer


def job_problem(error: ErrorRecord, job: JsonObject) -> Response:
    """Return a failed job's error as a problem document, with the job itself in the member
    `job`.
    """
    status = ScarError(error.code, error.message, error.hint).status
    more: dict[str, Any] = {"job": job}
    if error.lines:
        more["lines"] = list(error.lines)
    return problem(status, error.code, error.message, error.hint, more)


def register(app: Flask) -> None:
    """Register error handlers, so that every error of `app` is a problem document."""
    app.register_error_handler(ScarError, _known)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _known(error: ScarError) -> Response:
    more = {"lines": list(error.lines)} if error.lines else None
    return problem(error.status, error.code, error.message, error.hint, more)


def _http(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:
        return Response(error.get_body(), error.code, error.get_headers())
    status = HTTPStatus(error.code)
    fallback = "invalid_request" if status < 500 else "internal"
    code = _CODES.get(status, fallback)
    messages = getattr(error, "data", {}).get("messages")
    detail = _sentence(messages) if messages else (error.description or status.phrase)
    hint = _HINTS.get(status, "See /docs.")
    answer = problem(status, code, detail, hint, {"errors": messages} if messages else None)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            answer.headers[name] = value
    return answer


def _unexpected(error: Exception) -> Response:
    _log.error("request failed unexpectedly", route=request.path[:200], exc_info=error)
    status = InternalServerError.code
    hint = "SCAR's log has the details. Please report this."
    return problem(status, "internal", f"{type(error).__name__} in the API", hint)


def _sentence(messages: Any, above: str = "") -> str:
    """Write marshmallow's nested messages as one text, such as `limit: Not a valid integer.`"""
    if isinstance(messages, dict):
        parts = (
            # The first level only names the part of the request, such as `json` or `query`.
            _sentence(inner, f"{above}.{str(name)[:64]}".lstrip("."))
            for name, inner in messages.items()
        )
        return " ".join(parts)
    text = " ".join(map(str, messages)) if isinstance(messages, list) else str(messages)
    place = above.partition(".")[2] or above
    return f"{place}: {text}" if place else text
