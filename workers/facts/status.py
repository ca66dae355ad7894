"""What runs in production, and whether it is what the workspace holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scar.errors import ScarError
from workers.deployment.plan import indexes_path
from workers.engine.container import Container
from workers.engine.project_containers import ProjectContainers, project_containers
from workers.files.compare import compare
from workers.files.manifest import Entry
from workers.files.scan import scan
from workers.files.stat_cache import StatCache
from workers.git.commit import workspace_commit
from workers.runtime.context import JobContext, ReadJob
from workers.state.releases import Release, Releases


class Status(ReadJob):
    """Reads the containers with one list call, and the start of each running one."""

    kind = "status"

    def read(self, context: JobContext) -> dict[str, Any]:
        """Containers, folders, and what a person should know beside."""
        project = context.project
        found = project_containers(context.containers, project)
        release: Release | None = None
        notices: list[str] = []
        try:
            release = Releases(context.folder).latest()
            old = _older_than_workspace(context, release)
        except ScarError as error:
            old = False
            notices.append(f"The workspace cannot be compared: {error.message}")
        behind = _behind(found, release) if old else set()
        containers = [
            _container(c, found.primary, context.containers.uptime(c), c.name in behind)
            for c in found.containers
        ]
        containers += [_missing(name, found.primary) for name in found.missing]
        lock = context.locks.of(project.name)
        return {
            "project": project.name,
            "lock": lock.to_json() if lock else None,
            "containers": containers,
            "production": str(project.production),
            "workspace": str(project.workspace),
            "old_version": old,
            "workspace_dirty": old and workspace_commit(project.workspace).dirty,
            "notices": notices,
        }


def _older_than_workspace(context: JobContext, release: Release | None) -> bool:
    """Whether a deploy would bring other files than the ones in production."""
    workspace, production = indexes_path(context)
    tree = scan(str(context.project.workspace), context.project.exclude, StatCache.load(workspace))
    if release is None:
        index = StatCache.load(production)
        return not compare(tree, str(context.project.production), None, index).none
    return not _same(tree, release.files)


def _same(tree: Mapping[str, Entry], released: Mapping[str, Entry]) -> bool:
    left_alone = {path for path in tree if path.rpartition("/")[2] == ".env"} - released.keys()
    if tree.keys() - left_alone != released.keys():
        return False
    return all(entry.same_content(tree[path]) for path, entry in released.items())


def _behind(found: ProjectContainers, release: Release | None) -> set[str]:
    """The containers that a deploy would bring up to date: those built from the workspace."""
    built = {
        name for name, service in (release.services if release else {}).items() if service.build
    }
    names = {c.name for c in found.containers if c.service in built}
    return names or {str(found.primary)}


def _container(
    found: Container, primary: str | None, uptime: int | None, old: bool
) -> dict[str, Any]:
    return {
        "name": found.name,
        "service": found.service,
        "primary": found.name == primary,
        "state": found.state,
        "health": found.health,
        "uptime_seconds": uptime,
        "exit_code": found.exit_code,
        "ports": [str(port) for port in found.ports],
        "image": found.image,
        "old_version": old,
    }


def _missing(name: str, primary: str | None) -> dict[str, Any]:
    nothing = dict.fromkeys(("service", "health", "uptime_seconds", "exit_code", "image"))
    return {
        "name": name,
        "primary": name == primary,
        "state": "not found",
        "ports": [],
        "old_version": False,
        **nothing,
    }


HANDLER = Status()
