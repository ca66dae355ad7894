"""What is refused before a deployment begins."""

from __future__ import annotations

import os

from scar.errors import ScarError
from workers.engine.compose_config import ComposeConfig
from workers.engine.container import Container
from workers.engine.own_container import own_compose_project
from workers.runtime.context import JobContext


def require_not_scar(context: JobContext, own_id: str | None) -> None:
    """Raise `conflict` where the project is the one that this worker runs in, as the container
    `own_id`: restarting it would end the worker in the middle.
    """
    own = own_compose_project(context.containers, own_id)
    if own is not None and own == context.project.compose_project:
        raise ScarError(
            "conflict",
            f"Compose project '{own}' is SCAR itself: its worker would end in the middle of this",
            f"Do it by hand, on the host, in SCAR's folder: docker compose -p {own} up -d --build",
        )


def require_own(containers: tuple[Container, ...], production: str) -> None:
    """Raise `project_invalid` where a container of the Compose project was made from another
    folder: it must not be replaced.
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
    """Raise `project_invalid` where the Engine would refuse the Compose file in the middle of a
    deployment.
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
