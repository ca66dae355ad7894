"""Plans a deploy from the workspace, production, the last release and the Engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from scar.errors import ScarError
from workers.deployment.compose_changes import compose_changes
from workers.deployment.future_tree import FutureTree
from workers.deployment.plan import NO_CONFIG, Plan, stat_cache_paths
from workers.deployment.reading import read_entry
from workers.deployment.requirements import require_own, require_possible, require_protected
from workers.deployment.services import mounted_services, services_to_pull, services_to_restart
from workers.deployment.ways import plan_ways
from workers.engine.build_inputs import build_inputs
from workers.engine.compose_config import ComposeConfig
from workers.engine.container import Container
from workers.engine.images import Images
from workers.files.compare import Changes, compare, existing
from workers.files.manifest import Entry
from workers.files.scan import WorkspaceScan, excluded, scan
from workers.files.stat_cache import StatCache
from workers.git.commit import workspace_commit
from workers.runtime.context import JobContext
from workers.state.releases import Release, Releases


def plan_deploy(context: JobContext) -> Plan:
    """Compare the workspace with production and the last release. Changes nothing.

    Raises `project_invalid`, `sync_failed`, or what the Engine and Compose raise.
    """
    project = context.project
    comparison = _compare_files(context)
    containers = tuple(context.containers.of_project(project.compose_project))
    require_own(context, containers, str(project.production))
    relied_on = {}
    if ".env" not in comparison.files:
        relied_on = existing(str(project.production), ".env", comparison.production)
    git = workspace_commit(project.workspace)
    plan = Plan(
        comparison.files,
        relied_on,
        comparison.changes,
        comparison.last,
        NO_CONFIG,
        containers,
        commit=git.commit,
        dirty=git.dirty,
        workspace_index=comparison.workspace,
        production_index=comparison.production,
        outward=tuple(path for path in comparison.scan.outward if path in comparison.files),
        special=comparison.scan.special,
    )
    if plan.last and plan.changes.none and _as_released(containers, plan.last, relied_on):
        require_protected(context, NO_CONFIG)
        return plan
    return _with_services(context, plan)


@dataclass(frozen=True)
class _Comparison:
    """The three-way comparison of workspace, production and last release; `files` are those that
    the release will contain.
    """

    files: Mapping[str, Entry]
    scan: WorkspaceScan
    changes: Changes
    last: Release | None
    workspace: StatCache
    production: StatCache


def _compare_files(context: JobContext) -> _Comparison:
    project = context.project
    workspace, production = str(project.workspace), str(project.production)
    if not os.path.isdir(workspace):
        raise ScarError(
            "project_invalid",
            f"The workspace {workspace} is not there",
            "Clone the project there, or correct `workspace` in the projects file.",
        )
    paths = stat_cache_paths(context)
    caches = StatCache.load(paths[0]), StatCache.load(paths[1])
    seen = scan(workspace, project.exclude, caches[0])
    tree = seen.entries
    last = Releases(context.folder).latest()
    base = last.files if last else {}
    # A file that the last release contained, and that is excluded now, belongs to production alone.
    ours = base.keys() - excluded(base.keys() - tree.keys(), project.exclude)
    changes = compare(tree, production, {path: base[path] for path in ours}, caches[1])
    left = set(changes.left_alone)
    files = {path: entry for path, entry in tree.items() if path not in left}
    return _Comparison(files, seen, changes, last, *caches)


def _with_services(context: JobContext, plan: Plan) -> Plan:
    """Return the plan with the services to build, pull and restart filled in."""
    project = context.project
    removed = {path for path, entry in plan.changes.after.items() if entry is None}
    workspace = str(project.workspace)
    future = FutureTree(
        project.production,
        plan.files,
        removed,
        lambda path, entry: read_entry(workspace, path, entry),
        project.workspace,
    )
    config = future.config_for(context)
    require_possible(context, config)
    images = Images(context.engine)
    present = {name: images.id_of(service.image) for name, service in config.active.items()}
    builds, build = _builds(context, config, future, plan, present)
    mounted = mounted_services(config, str(project.production), plan.changes)
    planned = replace(
        plan,
        config=config,
        builds=builds,
        build=build,
        pull=services_to_pull(config, present),
        mounted=mounted,
        restart=services_to_restart(context, config, plan.containers, (*build, *mounted)),
    )
    ways = plan_ways(context, config, plan.containers, planned.restart, plan.changes.after)
    return replace(planned, compose=compose_changes(context, planned), ways=ways)


def _as_released(
    containers: tuple[Container, ...], last: Release, relied_on: Mapping[str, Entry]
) -> bool:
    """Return whether every service still runs the image and configuration of the last release."""
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
            healthy = container.state == "running" or container.exit_code == 0
            if not healthy or container.config_hash != service.config_hash:
                return False
            if service.image_id and container.image_id != service.image_id:
                return False
    return True


def _builds(
    context: JobContext,
    config: ComposeConfig,
    future: FutureTree,
    plan: Plan,
    present: Mapping[str, str | None],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the digest of each built service's inputs, and the names of the services that must
    be built.
    """
    modes = {path: (entry.mode, entry.digest) for path, entry in future.brought.items()}
    touched = set(plan.changes.after)
    compose_touched = bool(touched & set(future.compose_files()))
    production = str(context.project.production)
    digests: dict[str, str] = {}
    build: list[str] = []
    for name, service in config.active.items():
        if service.build is None:
            continue
        inputs = build_inputs(service.build, production, modes, future.read)
        digests[name] = inputs.digest
        known = plan.last.services.get(name) if plan.last else None
        if known is not None and known.build is not None:
            differs = known.build != inputs.digest
        else:
            differs = plan.last is not None or not touched.isdisjoint(inputs.files)
            differs = differs or compose_touched
        if differs or inputs.outside or present[name] is None:
            build.append(name)
    return digests, tuple(sorted(build))
