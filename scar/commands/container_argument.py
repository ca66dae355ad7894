"""Resolves a typed word to a project and a container."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scar.errors import ScarError
from scar.projects import Project, ProjectsFile


def container_meant(
    word: str, projects: ProjectsFile, default: Callable[[], Project]
) -> tuple[Project, str | None]:
    """Resolve `shop`, `shop/web`, `web` or nothing to a project and one of its containers (None for
    the primary one).

    A word that is no project is a container of the default project, or else of the only project
    that has one of that name. Raises `project_not_found` if there is none.
    """
    name, _, container = word.partition("/")
    if container or not name:
        return projects.get(name) if name else default(), container or None
    if name in projects.projects:
        return projects.get(name), None
    owner = _owner(name, projects.projects, default)
    return (owner, name) if owner else (projects.get(name), None)


def _owner(
    container: str, projects: Mapping[str, Project], default: Callable[[], Project]
) -> Project | None:
    owners = [project for project in projects.values() if _has(project, container)]
    try:
        preferred = default().name
    except ScarError:  # no project is configured
        preferred = ""
    own = [project for project in owners if project.name == preferred]
    return own[0] if own else owners[0] if len(owners) == 1 else None


def _has(project: Project, container: str) -> bool:
    """Return whether a project has a container or service, as far as the projects file alone can
    tell: of a project with `auto_detect`, Compose's own names are known, `shop-web-1`.
    """
    composed = container.startswith((f"{project.compose_project}-", f"{project.compose_project}_"))
    names = {container, f"{project.compose_project}-{container}-1"}
    return not names.isdisjoint(project.containers) or (project.auto_detect and composed)
