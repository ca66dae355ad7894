"""`/healthz` and `/readyz`, for monitoring.

They need no token, because they only contain counts: no name of a project, host or person.
"""

from __future__ import annotations

from flask import Response

from scar.api.context import context
from scar.api.hosts import live_workers
from scar.api.resource import Resource, answer
from scar.api.schemas.health import AliveSchema, ReadySchema
from scar.errors import ScarError
from scar.redis_client import redis_errors

_METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_OPEN: list[dict[str, list[str]]] = []

resource = Resource("health", __name__, description="For those who watch over SCAR")


@resource.route("/healthz")
@resource.response(200, AliveSchema)
@resource.doc(security=_OPEN)
def healthz() -> Response:
    """Alive"""
    return answer({"status": "alive"})


@resource.route("/readyz")
@resource.response(200, ReadySchema)
@resource.alt_response(503, response="SERVICE_UNAVAILABLE")
@resource.doc(security=_OPEN)
def readyz() -> Response:
    """Whether Redis accepts writes and every host of the projects file has a worker"""
    services = context().services
    with redis_errors():
        services.redis.set("scar:ready", "1", ex=60)
    hosts = {project.host for project in services.projects.projects.values()}
    missing = [name for name, ids in live_workers(services.redis, hosts).items() if not ids]
    if missing:
        raise ScarError(
            "host_unavailable",
            f"No worker listens for {len(missing)} of {len(hosts)} hosts",
            "Start one there with `scar worker`; GET /api/v1/hosts names those that have one.",
        )
    return answer({"status": "ready", "hosts": len(hosts)})
