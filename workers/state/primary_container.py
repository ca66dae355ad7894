"""Determines a project's containers and its primary one."""

from __future__ import annotations

import structlog

from scar.errors import ScarError
from workers.engine.project_containers import ProjectContainers, project_containers
from workers.runtime.context import JobContext
from workers.state.releases import Release, Releases

_log = structlog.get_logger(__name__)


def containers_of(context: JobContext) -> ProjectContainers:
    """Return the project's containers.

    If the projects file names no primary container, the one of the last release stays primary, even
    if a service was added. Raises `project_invalid` as `project_containers` does.
    """
    present = project_containers(context.containers, context.project)
    release = _latest(context)
    if context.project.primary_container is not None or release is None:
        return present
    if release.primary in {container.name for container in present.containers}:
        return present.with_primary(release.primary)
    of_release = (c.name for c in present.containers if c.service in release.services)
    return present.with_primary(next(of_release, present.primary))


def _latest(context: JobContext) -> Release | None:
    try:
        return Releases(context.folder).latest()
    except ScarError as error:
        _log.warning("last release not read", job=context.request.id, reason=error.message)
        return None
