"""The Flask application: registers every resource, and sets what all responses have in common."""

from __future__ import annotations

from contextlib import nullcontext

import structlog
from flask import Flask, Response, request

from scar.api import (
    alerts,
    audit,
    commands,
    docs,
    errors,
    events,
    github,
    health,
    hosts,
    jobs,
    metrics,
    projects,
)
from scar.api.auth import authenticate
from scar.api.context import ApiContext, Deadline
from scar.api.limits import RequestLimits
from scar.api.page import assets
from scar.api.page import routes as page
from scar.api.resource import ScarApi
from scar.api.schemas.records import any_record
from scar.api.schemas.submit import describe_submit
from scar.bootstrap import Services
from scar.jobs.inbox import Inbox
from scar.jobs.stream import EventStream
from scar.json_object import JsonObject
from scar.redis_client import connect

PREFIX = "/api/v1"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_DESCRIPTION = (
    "Docker Compose projects: what runs, and jobs that change it. Every route of /api/v1 wants "
    "`Authorization: Bearer SECRET`. Times are RFC 3339 in UTC; lists are newest first."
)


def create_app(
    services: Services,
    body_deadline: Deadline = nullcontext,
    limits: RequestLimits | None = None,
) -> Flask:
    """Create the API's Flask application. It connects to nothing before the first request.

    `body_deadline` is a context manager that limits how long reading a request's body may take.
    """
    app = Flask("scar.api", static_folder=None)
    app.config.update(
        API_TITLE="SCAR",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={
            "info": {"description": _DESCRIPTION},
            "security": [{"bearer": []}],
        },
        MAX_CONTENT_LENGTH=1 << 20,
        MAX_FORM_MEMORY_SIZE=64 << 10,
        PROPAGATE_EXCEPTIONS=False,
    )
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    stream = EventStream(services.redis, services.ledger)
    # GitHub waits ten seconds and does not retry, so this Redis client has to fail fast.
    redis = connect(services.settings.effective_redis_url, timeout=0.4, retries=0)
    inbox = Inbox(redis, "github", services.signatures)
    shared = ApiContext(services, stream, inbox, body_deadline, limits or RequestLimits())
    app.extensions["scar"] = shared
    metrics.measure(app, shared)
    app.before_request(name_job_in_log)
    app.after_request(_protect)
    _add_routes(app)
    page.register(app, services)
    return app


def name_job_in_log() -> None:
    """Add the id of the job in the URL to every log line of this request."""
    structlog.contextvars.clear_contextvars()
    if id := (request.view_args or {}).get("job_id"):
        structlog.contextvars.bind_contextvars(job=str(id)[:26])


def _add_routes(app: Flask) -> None:
    api = ScarApi(app)
    api.ma_plugin.converter.add_attribute_function(any_record)
    # After flask-smorest registered its own error handler, which this one replaces.
    errors.register(app)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for module in (jobs, events, projects, hosts, alerts, audit, commands):
        # Blueprints are made at import and serve any number of applications.
        if authenticate not in module.resource.before_request_funcs.get(None, ()):
            module.resource.before_request(authenticate)
        api.register_blueprint(module.resource, url_prefix=PREFIX)
    api.register_blueprint(health.resource)
    api.register_blueprint(metrics.resource)
    api.register_blueprint(github.resource)
    app.register_blueprint(assets.resource)
    describe_submit(api.spec)
    document = api.spec.to_dict()
    _describe_limits(document)
    docs.register(app, document)


def _describe_limits(document: JsonObject) -> None:
    """Describe the response 429 (too many requests) for every route that requires a token."""
    for path, operations in document["paths"].items():
        for operation in operations.values() if path.startswith(PREFIX) else ():
            if "responses" in operation:
                refused = {"$ref": "#/components/responses/TOO_MANY_REQUESTS"}
                operation["responses"].setdefault("429", refused)


def _protect(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
