"""What a deploy or a rollback would do, as it is shown, confirmed and then done."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scar.errors import ScarError
from workers.engine.compose_config import ComposeConfig, Service
from workers.engine.container import Container
from workers.files.compare import Changes
from workers.files.manifest import Entry
from workers.files.stat_cache import StatCache
from workers.runtime.context import JobContext
from workers.state.downtime_history import DowntimeHistory
from workers.state.releases import Release

_SHOWN = 200
NOT_ASKED = ComposeConfig("", {}, {})


@dataclass(frozen=True)
class Plan:
    """Everything that has to be known before anything is touched.

    `files` is what production will have been brought, `relied_on` what it has of its own that the
    containers are made with (its `.env`). `build` are services whose image has to be built, `pull`
    those whose image has to be fetched, `tags` the images (name, id) that come back without a
    build, `mounted` the services that have a changed file mounted, `restart` all that will be
    restarted or recreated as far as can be told. `config` is empty where there is nothing to do.
    `restores` is the release that is gone back to.
    """

    files: Mapping[str, Entry] = field(repr=False)
    relied_on: Mapping[str, Entry]
    changes: Changes
    last: Release | None
    config: ComposeConfig
    containers: tuple[Container, ...]
    commit: str | None
    dirty: bool
    workspace_index: StatCache = field(repr=False)
    production_index: StatCache = field(repr=False)
    builds: Mapping[str, str] = field(default_factory=dict)
    build: tuple[str, ...] = ()
    pull: tuple[str, ...] = ()
    tags: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    mounted: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    restores: str | None = None

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to copy, build or restart."""
        return self.changes.none and not self.build and not self.restart

    @property
    def hash(self) -> str:
        """Stands for everything the person who confirms relies on."""
        seen = {
            "before": {path: e and (e.digest, e.mode) for path, e in self.changes.before.items()},
            "after": {path: e and (e.digest, e.mode) for path, e in self.changes.after.items()},
            "build": self.build,
            "pull": self.pull,
            "tags": self.tags,
            "restart": self.restart,
            "containers": [(c.name, c.id, c.image_id) for c in self.containers],
            "relied_on": {path: entry.digest for path, entry in self.relied_on.items()},
        }
        return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def shown(plan: Plan, context: JobContext) -> dict[str, Any]:
    """The plan as the question and the API show it."""
    changes = plan.changes
    files = {"added": changes.added, "changed": changes.changed, "removed": changes.removed}
    notices = []
    if plan.changes.kept:
        notices.append(
            f"{len(changes.kept)} of production's files were not brought by SCAR and are "
            "replaced; a copy of each is kept."
        )
    protected = [c.name for c in plan.containers if c.name in context.project.protected]
    if protected:
        notices.append(f"Protected, left as they are: {', '.join(protected)}")
    return {
        "workspace": str(context.project.workspace),
        "production": str(context.project.production),
        "nothing": plan.nothing,
        "counts": {
            **{word: len(paths) for word, paths in files.items()},
            "drift": len(changes.drift),
            "kept": len(changes.kept),
        },
        "files": {word: _named(paths) for word, paths in files.items()},
        "drift": _named(changes.drift),
        "kept": _named(changes.kept),
        "left_alone": _named(changes.left_alone),
        "build": list(plan.build),
        "restart": list(plan.restart),
        "release": plan.restores,
        "commit": plan.commit,
        "dirty": plan.dirty,
        "downtime": DowntimeHistory(context.folder).estimate("deploy") if plan.restart else None,
        "notices": notices,
        "hash": plan.hash,
    }


def _named(paths: Iterable[str]) -> list[str]:
    return [path.encode("utf-8", "backslashreplace").decode() for path in list(paths)[:_SHOWN]]


def indexes_path(context: JobContext) -> tuple[Path, Path]:
    """Where the stat indexes of workspace and production are kept."""
    return context.folder / "workspace.index", context.folder / "production.index"


def require_own(containers: tuple[Container, ...], production: str) -> None:
    """Somebody else's containers under the same Compose project are not ours to replace."""
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
    """What the Engine would refuse in the middle of a deploy is refused before it."""
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


def services_to_pull(config: ComposeConfig, present: Mapping[str, str | None]) -> tuple[str, ...]:
    """The services whose image the Engine lacks (by `present`) and nobody builds."""
    built = {service.image for service in config.active.values() if service.build}
    return tuple(
        sorted(n for n, id in present.items() if not id and config.services[n].image not in built)
    )


def mounted_services(config: ComposeConfig, production: str, changes: Changes) -> tuple[str, ...]:
    """Services that see a changed file through a bind mount, and need a restart to read it."""
    touched = [os.path.join(production, path) for path in changes.after]
    found = []
    for name, service in config.services.items():
        if any(_below(path, bind) for bind in service.binds for path in touched):
            found.append(name)
    return tuple(sorted(found))


def _below(path: str, folder: str) -> bool:
    folder = folder.rstrip("/")
    return path == folder or path.startswith(folder + "/")


def services_to_restart(
    context: JobContext,
    config: ComposeConfig,
    containers: tuple[Container, ...],
    others: Iterable[str],
) -> tuple[str, ...]:
    """The services whose containers differ from the file, and `others`, but nothing protected."""
    by_service: dict[str, list[Container]] = {}
    for container in containers:
        by_service.setdefault(container.service, []).append(container)
    protected = {c.service for c in containers if c.name in context.project.protected}
    wanted = set(others)
    for name, service in config.active.items():
        if _differs(service, by_service.get(name, [])):
            wanted.add(name)
    return tuple(sorted(name for name in wanted - protected if config.services[name].active))


def _differs(service: Service, running: list[Container]) -> bool:
    if not running:
        return True
    return any(
        container.config_hash != service.config_hash
        or (container.state != "running" and container.exit_code != 0)
        for container in running
    )
