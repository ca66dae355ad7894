"""Determines which containers belong to a project, and their order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from scar.errors import ScarError, container_not_found, nearest
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

    def with_primary(self, name: str | None) -> ProjectContainers:
        """Return the same containers with another primary one, which is shown first."""
        ordered = sorted(self.containers, key=lambda container: container.name != name)
        return replace(self, containers=tuple(ordered), primary=name)


def project_containers(containers: Containers, project: Project) -> ProjectContainers:
    """Return the containers in the order of the projects file, then those found by Compose's label.

    The latter only with `auto_detect`. Raises `project_invalid` if a container in the file belongs
    to another Compose project.
    """
    names = project.containers
    by_name = {c.name: c for c in containers.of_project(project.compose_project, names)}
    for container in by_name.values():
        _require_own(container, project)
    order = [name for name in names if name in by_name]
    if project.auto_detect:
        order += [name for name in by_name if name not in names]
    primary = project.primary_container or (order[0] if order else None)
    if primary in order:
        order.sort(key=lambda name: name != primary)
    missing = tuple(name for name in names if name not in by_name)
    return ProjectContainers(tuple(by_name[name] for name in order), missing, primary)


def unknown_protected(project: Project, known: Iterable[str]) -> ScarError | None:
    """Return the error for a `protected` container that is neither among `known` nor among the
    project's `containers`; None if all are.
    """
    names = {*known, *project.containers}
    unknown = next((name for name in project.protected if name not in names), None)
    if unknown is None:
        return None
    hint = nearest(unknown, sorted(names)).strip()
    return ScarError(
        "project_invalid",
        f"'{unknown}' is `protected` in project '{project.name}', and no container has that name",
        f"{hint} Correct `protected` in the projects file: as it is, it protects nothing.".strip(),
    )


def known_names(everything: Iterable[Container], project: Project) -> list[str]:
    """Return the names by which a project's containers are called, of all of the Engine's: their
    own, and those of their services.
    """
    own = [
        one
        for one in everything
        if one.name in project.containers
        or (one.project == project.compose_project and not one.oneoff)
    ]
    names = (name for one in own for name in (one.name, one.service) if name)
    return sorted({*project.containers, *names})


def ownership_problems(
    everything: Sequence[Container], projects: Iterable[Project]
) -> dict[str, ScarError]:
    """Return, by the project's name, an error if its `containers` belong to another Compose
    project, or if a `protected` one does not exist although the project has containers.
    `everything` are all containers of the Engine.
    """
    by_name = {container.name: container for container in everything}
    problems: dict[str, ScarError] = {}
    for project in projects:
        try:
            for name in project.containers:
                if name in by_name:
                    _require_own(by_name[name], project)
            own = [c.name for c in everything if c.project == project.compose_project]
            if own and (unknown := unknown_protected(project, own)):
                raise unknown
        except ScarError as problem:
            problems[project.name] = problem
    return problems


def _require_own(container: Container, project: Project) -> None:
    if container.project in ("", project.compose_project):
        return
    raise ScarError(
        "project_invalid",
        f"Container '{container.name}' belongs to Compose project '{container.project}', not to "
        f"'{project.compose_project}'",
        f"Take it out of `containers` of project '{project.name}' in the projects file, or correct "
        "`compose_project` there.",
    )
