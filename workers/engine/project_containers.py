"""Which containers a project manages, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

from scar.errors import ScarError, container_not_found
from scar.projects import Project
from workers.engine.containers import Container, Containers


@dataclass(frozen=True)
class ProjectContainers:
    """The containers of a project as the Engine has them, the primary one first.

    `missing` are names of the projects file that the Engine does not have.
    """

    containers: tuple[Container, ...]
    missing: tuple[str, ...]
    primary: str | None

    def named(self, name: str) -> Container:
        """One of them by its exact name, or by its service's."""
        for found in self.containers:
            if found.name == name:
                return found
        for found in self.containers:
            if found.service == name:
                return found
        raise container_not_found(name, [found.name for found in self.containers])

    def main(self) -> Container:
        """The primary container."""
        if self.primary is not None:
            return self.named(self.primary)
        raise ScarError(
            "container_not_found",
            "Container not found: the project has none yet",
            "A first /docker_deploy makes them; or name them under `containers`.",
        )


def project_containers(containers: Containers, project: Project) -> ProjectContainers:
    """The containers in the projects file's order; with `auto_detect`, those of the Engine too."""
    names = project.containers
    listed = {found.name: found for found in containers.of_project(project.compose_project, names)}
    order = [name for name in names if name in listed]
    if project.auto_detect:
        order += [name for name in listed if name not in names]
    primary = project.primary_container or (order[0] if order else None)
    if primary in order:
        order.sort(key=lambda name: name != primary)
    missing = tuple(name for name in names if name not in listed)
    return ProjectContainers(tuple(listed[name] for name in order), missing, primary)
