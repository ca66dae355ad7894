"""Whose request it is, and what that person may see.

Every route of `/api/v1` wants `Authorization: Bearer`, never a cookie: a page of another site can
do nothing in a person's name, whatever `Host` or `Origin` it sends, so any `Host` is answered.
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus

from flask import g, request
from flask.typing import ResponseReturnValue

from scar.access import Actor, Role
from scar.api.context import context
from scar.api.errors import problem
from scar.client import service_actor
from scar.errors import ScarError, project_not_found
from scar.jobs.record import Job
from scar.projects import Project

_JOB_ID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def authenticate() -> ResponseReturnValue | None:
    """Runs before each request of the API: finds the actor, or answers 401."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        return problem(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            "This needs a bearer token",
            "Send `Authorization: Bearer SECRET` with a secret of SCAR_API_TOKENS.",
        )
    services = context().services
    # WSGI hands headers on as latin-1.
    token = secret.encode("latin-1", "replace").decode("utf-8", "replace")
    found = services.access.actor_of_token(token) or service_actor(
        services.signatures, token, time.time()
    )
    if found is None:
        return problem(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            "This token is not known here",
            "An admin can add NAME:viewer:SECRET to SCAR_API_TOKENS.",
        )
    g.actor = found
    return None


def actor() -> Actor:
    """Who makes this request."""
    found: Actor = g.actor
    return found


def require(role: Role) -> None:
    """Refuses whoever has less than `role` everywhere."""
    context().services.access.require(actor(), role, None)


def known_everywhere() -> bool:
    """Whether the actor has a role that no project gave."""
    return context().services.access.role_of(actor(), None) is not None


def visible_projects() -> dict[str, Project]:
    """The projects on which the actor has a role; a refusal for who has none anywhere."""
    services = context().services
    access, who = services.access, actor()
    found = {n: p for n, p in services.projects.projects.items() if access.role_of(who, p)}
    if not found:
        access.require(who, Role.VIEWER, None)
    return found


def visible_project(name: str) -> Project:
    """The project `name`; the same answer for one that is not there and one not to be seen."""
    found = visible_projects()
    if name in found:
        return found[name]
    projects = context().services.projects
    if not projects.projects:
        return projects.get(name)  # says what is wrong with the file
    raise project_not_found(name, list(found))


def may_see(job: Job) -> bool:
    """Whether the job is the actor's own, or one of a project on which they have a role."""
    services, who = context().services, actor()
    if job.request.requested_by == who:
        return True
    project = services.projects.projects.get(job.request.project or "")
    return services.access.role_of(who, project) is not None


def visible_job(id: str) -> Job:
    """The job `id`; the same answer for one that is not there and one not to be seen."""
    job = context().services.ledger.get(id) if _JOB_ID.fullmatch(id) else None
    if job is None or not may_see(job):
        raise ScarError(
            "job_not_found",
            f"Job '{id[:40]}' not found",
            "GET /api/v1/jobs lists the latest ones; old ones are forgotten after a while.",
        )
    return job
