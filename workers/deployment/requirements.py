"""Checks that refuse a deployment before it begins."""

from __future__ import annotations

import os

from scar.errors import ScarError
from workers.engine.compose_config import ComposeConfig
from workers.engine.container import Container
from workers.runtime.context import JobContext


def require_own(containers: tuple[Container, ...], production: str) -> None:
    """Raise `project_invalid` if a container of the Compose project was created from another
    folder, since it must not be replaced.
    """
    here = os.path.realpath(production)
    for container in containers:
        there = container.working_dir
        if there and os.path.realpath(there) != here:
            raise ScarError(
                "project_invalid",
                f"Container '{container.name}' was made from {there}, not from {production}",
                "Correct `production` or `compose_project` in the projects file, or take the "
                "other project down first.",
            )


def require_possible(context: JobContext, config: ComposeConfig) -> None:
    """Raise `project_invalid` if the Engine would refuse the Compose configuration in the middle
    of a deployment.
    """
    if not config.active:
        raise ScarError(
            "project_invalid",
            f"The Compose file of '{context.project.name}' has no service to run",
            "Add one under `services`, or name its profile as COMPOSE_PROFILES in `.env`.",
        )
    named = {s.container_name: s.name for s in config.active.values() if s.container_name}
    for container in context.containers.all() if named else ():
        service_name = named.get(container.name)
        theirs = (container.project, container.service)
        if service_name and theirs != (context.project.compose_project, service_name):
            owner = f"project '{container.project}'" if container.project else "somebody else"
            raise ScarError(
                "project_invalid",
                f"Service '{service_name}' wants the container name '{container.name}', which a "
                f"container of {owner} has",
                "Change `container_name` in the Compose file, or remove the other container.",
            )
