"""Authenticates API requests, and says which projects and jobs their actor may see.

Every route of `/api/v1` requires `Authorization: Bearer` and ignores cookies, so another site's
page cannot act in a person's name. `Host` and `Origin` are therefore not checked.
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from typing import cast

from flask import g, request
from flask.typing import ResponseReturnValue

from scar.access import Actor, Role
from scar.api.context import context
from scar.api.errors import problem
from scar.errors import ScarError, project_not_found
from scar.jobs.record import Job
from scar.jobs.voucher import Voucher, read
from scar.json_object import JsonObject
from scar.projects import Project

PREFIX = "/api/v1"
_JOB_ID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def authenticate() -> ResponseReturnValue | None:
    """Set the actor of each request to `/api/v1`; respond 401 without a valid token, and 429 to an
    actor or address that exceeds its limit.
    """
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        return problem(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            "This needs a bearer token",
            "Send `Authorization: Bearer SECRET` with a secret of SCAR_API_TOKENS.",
        )
    services = context().services
    # WSGI decodes headers as latin-1.
    token = secret.encode("latin-1", "replace").decode("utf-8", "replace")
    g.voucher = None
    known = services.access.actor_of_token(token) or _vouched_actor(token)
    if known is None:
        return context().limits.of_wrong_token(request.remote_addr or "") or problem(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            "This token is not known here",
            "An admin can add NAME:viewer:SECRET to SCAR_API_TOKENS; of a shell on another host, "
            "its key: `scar keys add console KEY`.",
        )
    g.actor = known
    return context().limits.of_actor(known)


def _vouched_actor(token: str) -> Actor | None:
    """Return the person for whom a front-end has signed this one request; None for another kind of
    token.
    """
    vouched = read(context().services.signatures, token)
    if vouched is None or vouched.expires < time.time() * 1000:
        return None
    path, body = request.path.removeprefix(PREFIX), request.get_json(silent=True)
    if not vouched.is_for(request.method, path, body):
        return None
    g.voucher = Voucher(token, body).to_json()
    return vouched.actor


def voucher() -> JsonObject | None:
    """Return the token that a front-end has signed for this request; None for a client of the
    API.
    """
    return cast("JsonObject | None", g.voucher)


def actor() -> Actor:
    """Return the actor of the current request."""
    return cast(Actor, g.actor)


def require(role: Role) -> None:
    """Raise `unauthorized` or `forbidden` unless the actor has `role` by the settings, on all
    projects.
    """
    context().services.access.require(actor(), role, None)


def known_everywhere() -> bool:
    """Return whether the settings give the actor a role, which then holds for all projects."""
    return context().services.access.role_of(actor(), None) is not None


def visible_projects() -> dict[str, Project]:
    """Return the projects on which the actor has a role; raise `unauthorized` or `forbidden` if
    there are none.
    """
    services = context().services
    access, who = services.access, actor()
    visible = {n: p for n, p in services.projects.projects.items() if access.role_of(who, p)}
    if not visible:
        access.require(who, Role.VIEWER, None)
    return visible


def visible_project(name: str) -> Project:
    """Return the project `name`. A project that the actor may not see raises the same error as a
    name that does not exist.
    """
    visible = visible_projects()
    if name in visible:
        return visible[name]
    projects = context().services.projects
    if not projects.projects:
        # Raises `project_not_found`, or the error in the projects file.
        return projects.get(name)
    raise project_not_found(name, list(visible))


def may_see(job: Job) -> bool:
    """Return whether the actor may read the job: they requested it, or have a role on its project.
    A job that only reads needs the role of its command. Front-ends themselves may read every job.
    """
    services, who = context().services, actor()
    if job.request.requested_by == who:
        return True
    command = services.job_service.commands.get(job.request.kind)
    is_for_all = job.request.changes or command is None or who.frontend == "service"
    needed = Role.VIEWER if is_for_all or command is None else command.role
    project = services.projects.projects.get(job.request.project or "")
    return services.access.allows(who, needed, project)


def visible_job(id: str) -> Job:
    """Return the job `id`. A job that the actor may not see raises the same error as an id that
    does not exist.
    """
    job = context().services.ledger.get(id) if _JOB_ID.fullmatch(id) else None
    if job is None or not may_see(job):
        raise ScarError(
            "job_not_found",
            f"Job '{id[:40]}' not found",
            "/jobs lists the latest ones; old ones are forgotten after a while.",
        )
    return job
