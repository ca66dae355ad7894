"""The plan of a deploy or a rollback, which is shown, confirmed and then executed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scar.jobs.results.compose_changes import NO_CHANGES, ComposeChanges
from scar.jobs.results.deploy import DeployCounts, DeployPlan
from scar.jobs.results.file_changes import FileNames
from scar.jobs.results.history import ReleaseRow
from scar.jobs.results.ways import HELD, STAND_IN, estimate_without_downtime
from scar.json_object import JsonObject
from workers.deployment.ways import NO_WAYS, Ways
from workers.engine.compose_config import ComposeConfig
from workers.engine.container import Container
from workers.files.compare import Changes
from workers.files.manifest import Entry
from workers.files.stat_cache import StatCache
from workers.runtime.context import JobContext
from workers.state.downtime_history import DowntimeHistory
from workers.state.releases import Release

_SHOWN = 200
NO_CONFIG = ComposeConfig("", {}, {})
"""The Compose configuration of a plan with nothing to do, for which Compose was not run."""


@dataclass(frozen=True)
class Plan:
    """Everything that is determined before production is changed.

    `files` are the files that production will have from the release, `relied_on` those of its own
    that the containers are made with (its `.env`). `builds` maps services to the digest of their
    build inputs, `build` are services whose image has to be built, `pull` those whose image has to
    be fetched, `tags` the images (name, id) that come back without a build, `mounted` the services
    that have a changed file mounted, `restart` all that will be restarted or recreated as far as
    can be told, `compose` what else happens on the Engine. `restores` is the release that a
    rollback restores. `outward` are the links among `files` that lead out of the workspace,
    `special` its sockets, pipes and devices, which are not deployed. `ways` says how the services
    are replaced.
    """

    files: Mapping[str, Entry] = field(repr=False)
    relied_on: Mapping[str, Entry]
    changes: Changes
    last: Release | None
    config: ComposeConfig
    containers: tuple[Container, ...]
    commit: str | None
    dirty: bool | None
    workspace_index: StatCache = field(repr=False)
    production_index: StatCache = field(repr=False)
    builds: Mapping[str, str] = field(default_factory=dict)
    build: tuple[str, ...] = ()
    pull: tuple[str, ...] = ()
    tags: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    mounted: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    restores: ReleaseRow | None = None
    compose: ComposeChanges = NO_CHANGES
    outward: tuple[str, ...] = ()
    special: tuple[str, ...] = ()
    ways: Ways = NO_WAYS

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """The services that are replaced behind a stand-in."""
        return tuple(way.service for way in self.ways.by_service if way.way == STAND_IN)

    @property
    def held(self) -> tuple[str, ...]:
        """The services whose new connections wait."""
        return tuple(way.service for way in self.ways.by_service if way.way == HELD)

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to copy, build or restart."""
        return self.changes.none and not self.build and not self.restart

    @property
    def hash(self) -> str:
        """The digest of everything the person who confirms relies on."""
        return hashlib.sha256(json.dumps(self.relied_upon, sort_keys=True).encode()).hexdigest()

    @property
    def relied_upon(self) -> JsonObject:
        """Everything the person who confirms relies on."""
        return {
            "before": {path: e and (e.digest, e.mode) for path, e in self.changes.before.items()},
            "after": {path: e and (e.digest, e.mode) for path, e in self.changes.after.items()},
            "build": self.build,
            "pull": self.pull,
            "tags": self.tags,
            "restart": self.restart,
            "containers": [(c.name, c.id, c.image_id) for c in self.containers],
            "relied_on": {path: entry.digest for path, entry in self.relied_on.items()},
            "compose": self.compose.to_json(),
        }


def describe(plan: Plan, context: JobContext) -> DeployPlan:
    """Return the plan in the form that the question and the API show."""
    changes = plan.changes
    return DeployPlan(
        workspace=str(context.project.workspace),
        production=str(context.project.production),
        nothing=plan.nothing,
        counts=DeployCounts(
            added=len(changes.added),
            changed=len(changes.changed),
            removed=len(changes.removed),
            drift=len(changes.drift),
            kept=len(changes.kept),
        ),
        files=FileNames(_named(changes.added), _named(changes.changed), _named(changes.removed)),
        drift=_named(changes.drift),
        kept=_named(changes.kept),
        left_alone=_named(changes.left_alone),
        outward=_named(f"{path} -> {plan.files[path].digest}" for path in plan.outward),
        special=_named(plan.special),
        build=plan.build,
        restart=plan.restart,
        release=plan.restores.id if plan.restores else None,
        commit=plan.commit,
        dirty=plan.dirty,
        downtime=_forecast(plan, context),
        notices=_notices(plan, context),
        compose=plan.compose,
        target=plan.restores,
        ways=plan.ways.by_service,
        offer=plan.ways.offer,
        hash=plan.hash,
    )


def _forecast(plan: Plan, context: JobContext) -> str | None:
    if estimate := estimate_without_downtime(plan.ways.by_service):
        return estimate
    return DowntimeHistory(context.folder).estimate("deploy") if _interrupts(plan) else None


def _interrupts(plan: Plan) -> bool:
    """Return whether a running container will be stopped."""
    return any(c.is_up and c.service in plan.restart for c in plan.containers)


def _notices(plan: Plan, context: JobContext) -> tuple[str, ...]:
    notices = []
    if plan.changes.kept:
        notices.append(
            f"{len(plan.changes.kept)} of production's files were not brought by SCAR and are "
            "replaced; a copy of each is kept."
        )
    protected = [c.name for c in plan.containers if c.name in context.project.protected]
    if plan.ways.unknown:
        names = ", ".join(plan.ways.unknown)
        notices.append(f"`zero_downtime` names what is no service of the Compose file: {names}")
    if plan.dirty is None:
        notices.append("Whether the workspace has uncommitted changes is unknown: Git failed.")
    if protected:
        notices.append(f"Protected, left as they are: {', '.join(protected)}")
    return tuple(notices)


def _named(paths: Iterable[str]) -> tuple[str, ...]:
    first = list(paths)[:_SHOWN]
    return tuple(path.encode("utf-8", "backslashreplace").decode() for path in first)


def stat_cache_paths(context: JobContext) -> tuple[Path, Path]:
    """Return the paths of the stat caches of workspace and production."""
    return context.folder / "workspace.index", context.folder / "production.index"
