"""The handler of `status`: the state of the containers, and whether production differs from the
workspace.
"""

from __future__ import annotations

from collections.abc import Mapping

from scar.errors import ScarError
from scar.jobs.results.json_record import ABSENT
from scar.jobs.results.status import ContainerStatus, LockStatus, StatusResult
from scar.jobs.timestamp import rfc3339
from workers.deployment.plan import stat_cache_paths
from workers.engine.container import Container
from workers.engine.containers import Containers
from workers.engine.project_containers import (
    ProjectContainers,
    unknown_protected,
)
from workers.files.compare import compare
from workers.files.manifest import Entry
from workers.files.scan import scan
from workers.files.stat_cache import StatCache
from workers.git.commit import workspace_commit
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob
from workers.state.primary_container import containers_of
from workers.state.releases import Release, Releases


class Status(ReadJob[StatusResult]):
    """Reads all containers with one call of the Engine, and inspects each running one for its
    start time.
    """

    kind = "status"

    def answer(self, context: JobContext) -> StatusResult:
        """Return the containers, the folders, and a notice for each fact that could not be
        determined.
        """
        project = context.project
        present = containers_of(context)
        release: Release | None = None
        notices: list[str] = []
        try:
            release = Releases(context.folder).latest()
            old = _older_than_workspace(context, release)
        except ScarError as error:
            old = False
            notices.append(f"The workspace cannot be compared: {error.message}")
        names = [container.name for container in present.containers]
        if names and (unknown := unknown_protected(project, names)):
            notices.append(f"{unknown.message}. {unknown.hint}")
        behind = _behind(present, release) if old else set()
        rows = [
            _row(c, present.primary, context.containers, c.name in behind)
            for c in present.containers
        ]
        rows += [_missing(name, present.primary) for name in present.missing]
        return StatusResult(
            project=project.name,
            lock=_lock(context),
            containers=tuple(rows),
            production=str(project.production),
            workspace=str(project.workspace),
            old_version=old,
            workspace_dirty=old and workspace_commit(project.workspace).dirty,
            notices=tuple(notices),
            deployed=release is not None or bool(present.containers),
        )


def _lock(context: JobContext) -> LockStatus | None:
    lock = context.locks.of(context.project.name)
    if lock is None:
        return None
    return LockStatus(lock.project, lock.by, lock.reason, rfc3339(lock.since))


def _older_than_workspace(context: JobContext, release: Release | None) -> bool:
    """Return whether a deploy would change files in production."""
    workspace, production = stat_cache_paths(context)
    cache = StatCache.load(workspace)
    tree = scan(str(context.project.workspace), context.project.exclude, cache).entries
    if release is None:
        index = StatCache.load(production)
        return not compare(tree, str(context.project.production), None, index).none
    return not _same(tree, release.files)


def _same(tree: Mapping[str, Entry], released: Mapping[str, Entry]) -> bool:
    left_alone = {path for path in tree if path.rpartition("/")[2] == ".env"} - released.keys()
    if tree.keys() - left_alone != released.keys():
        return False
    return all(entry.same_content(tree[path]) for path, entry in released.items())


def _behind(present: ProjectContainers, release: Release | None) -> set[str]:
    """Return the names of the containers that a deploy would update: those whose image is built
    from the workspace, or else the primary one.
    """
    built = {
        name for name, service in (release.services if release else {}).items() if service.build
    }
    names = {c.name for c in present.containers if c.service in built}
    return names or {str(present.primary)}


def _row(
    container: Container, primary: str | None, containers: Containers, old: bool
) -> ContainerStatus:
    stopped = containers.stopped(container)
    return ContainerStatus(
        name=container.name,
        service=container.service,
        primary=container.name == primary,
        state=container.state,
        health=container.health,
        uptime_seconds=containers.uptime(container),
        stopped_seconds=ABSENT if stopped is None else stopped,
        exit_code=container.exit_code,
        ports=tuple(str(port) for port in container.ports),
        image=container.image,
        old_version=old,
    )


def _missing(name: str, primary: str | None) -> ContainerStatus:
    return ContainerStatus(
        name=name,
        service=None,
        primary=name == primary,
        state="not found",
        health=None,
        uptime_seconds=None,
        exit_code=None,
        ports=(),
        image=None,
        old_version=False,
    )


HANDLER = Status()
