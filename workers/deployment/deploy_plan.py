"""The plan of a deploy, from the workspace, production, the last release and the Engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from scar.errors import ScarError
from workers.deployment.future_tree import FutureTree
from workers.deployment.plan import (
    NOT_ASKED,
    Plan,
    indexes_path,
    mounted_services,
    require_own,
    require_possible,
    services_to_pull,
    services_to_restart,
)
from workers.engine.build_inputs import build_inputs
from workers.engine.compose_config import ComposeConfig
from workers.engine.containers import Container
from workers.engine.images import Images
from workers.files.compare import Changes, compare, existing
from workers.files.manifest import Entry
from workers.files.scan import excluded, scan
from workers.files.stat_cache import StatCache
from workers.git.commit import workspace_commit
from workers.runtime.context import JobContext
from workers.state.releases import Release, Releases


def plan_deploy(context: JobContext) -> Plan:
    """Compares and changes nothing. Raises `project_invalid`, `sync_failed` or the Engine's."""
    project = context.project
    workspace, production = str(project.workspace), str(project.production)
    if not os.path.isdir(workspace):
        raise ScarError(
            "project_invalid",
            f"The workspace {workspace} is not there",
            "Clone the project there, or correct `workspace` in the projects file.",
        )
    paths = indexes_path(context)
    indexes = StatCache.load(paths[0]), StatCache.load(paths[1])
    tree = scan(workspace, project.exclude, indexes[0])
    last = Releases(context.folder).latest()
    base = last.files if last else {}
    # What was brought and is excluded since is production's own from now on.
    ours = base.keys() - excluded(base.keys() - tree.keys(), project.exclude)
    changes = compare(tree, production, {path: base[path] for path in ours}, indexes[1])
    left = set(changes.left_alone)
    tree = {path: entry for path, entry in tree.items() if path not in left}
    containers = tuple(context.containers.of_project(project.compose_project))
    require_own(containers, production)
    relied_on = {} if ".env" in tree else existing(production, ".env", indexes[1])
    git = workspace_commit(project.workspace)
    plan = partial(
        Plan, tree, relied_on, changes, last,
        containers=containers, commit=git.commit, dirty=git.dirty,
        workspace_index=indexes[0], production_index=indexes[1],
    )  # fmt: skip
    if last and changes.none and _as_released(containers, last, relied_on):
        return plan(NOT_ASKED)
    removed = {path for path, entry in changes.after.items() if entry is None}
    future = FutureTree(project.production, tree, removed, project.workspace.joinpath)
    config = future.config_for(context)
    require_possible(context, config)
    images = Images(context.engine)
    present = {name: images.id_of(service.image) for name, service in config.active.items()}
    builds, build = _builds(context, config, future, changes, last, present)
    mounted = mounted_services(config, production, changes)
    return plan(
        config,
        builds=builds,
        build=build,
        pull=services_to_pull(config, present),
        mounted=mounted,
        restart=services_to_restart(context, config, containers, (*build, *mounted)),
    )


def _as_released(
    containers: tuple[Container, ...], last: Release, relied_on: Mapping[str, Entry]
) -> bool:
    """Whether every service still runs what the last release brought."""
    if {path: e.digest for path, e in relied_on.items()} != {
        path: e.digest for path, e in last.relied_on.items()
    }:
        return False
    by_service: dict[str, list[Container]] = {}
    for container in containers:
        by_service.setdefault(container.service, []).append(container)
    for name, service in last.services.items():
        running = by_service.get(name, [])
        if not running:
            return False
        for container in running:
            well = container.state == "running" or container.exit_code == 0
            if not well or container.config_hash != service.config_hash:
                return False
            if service.image_id and container.image_id != service.image_id:
                return False
    return True


def _builds(
    context: JobContext,
    config: ComposeConfig,
    future: FutureTree,
    changes: Changes,
    last: Release | None,
    present: Mapping[str, str | None],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The digest of each built service's inputs, and the services that have to be built."""
    modes = {path: (entry.mode, entry.digest) for path, entry in future.brought.items()}
    touched = set(changes.after)
    own = set(future.compose_files())
    production = str(context.project.production)
    digests: dict[str, str] = {}
    build: list[str] = []
    for name, service in config.active.items():
        if service.build is None:
            continue
        inputs = build_inputs(service.build, production, modes, _reader(context.project.workspace))
        digests[name] = inputs.digest
        known = last.services.get(name) if last else None
        if known is not None and known.build is not None:
            differs = known.build != inputs.digest
        else:
            differs = last is not None or not touched.isdisjoint(inputs.files)
            differs = differs or bool(touched & own)
        if differs or inputs.outside or present[name] is None:
            build.append(name)
    return digests, tuple(sorted(build))


def _reader(workspace: Path) -> Callable[[str], bytes]:
    def read(path: str) -> bytes:
        return (workspace / path).read_bytes()

    return read
