"""Determines which containers belong to a project, and their order."""

from __future__ import annotations

from dataclasses import dataclass

from scar.errors import ScarError, container_not_found
from scar.projects import Project
from workers.engine.container import Container
from workers.engine.containers import Containers


@dataclass(frozen=True)
class ProjectContainers:
    """A project's containers, the primary one first.

    `missing` are the names in the projects file for which the Engine has no container.
    """

    containers: tuple[Container, ...]
    missing: tuple[str, ...]
    primary: str | None

    def named(self, name: str) -> Container:
        """Return the container with exactly this name, or else a container of the service with
        this name.
        """
        for container in self.containers:
            if container.name == name:
                return container
        for container in self.containers:
            if container.service == name:
                return container
        raise container_not_found(name, [container.name for container in self.containers])

    def main(self) -> Container:
        """Return the primary container."""
        if self.primary is not None:
            return self.named(self.primary)
        raise ScarError(
            "container_not_found",
            "Container not found: the project has none yet",
            "A first /docker_deploy makes them; or name them under `containers`.",
        )


def project_containers(containers: Containers, project: Project) -> ProjectContainers:
    """Return the containers in the order of the projects file, then, with `auto_detect`, those
    that carry the Compose project's label.
    """
    names = project.containers
    by_name = {c.name: c for c in containers.of_project(project.compose_project, names)}
    order = [name for name in names if name in by_name]
    if project.auto_detect:
        order += [name for name in by_name if name not in names]
    primary = project.primary_container or (order[0] if order else None)
    if primary in order:
        order.sort(key=lambda name: name != primary)
    missing = tuple(name for name in names if name not in by_name)
    return ProjectContainers(tuple(by_name[name] for name in order), missing, primary)
