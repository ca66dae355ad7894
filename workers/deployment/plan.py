"""What a deploy would do, from the workspace, production, the last release and the Engine."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scar.errors import ScarError
from workers.deployment.preview import Preview
from workers.downtimes import Downtimes
from workers.engine.build_inputs import build_inputs
from workers.engine.compose import Compose, Watch
from workers.engine.compose_config import ComposeConfig, Service
from workers.engine.compose_inputs import content
from workers.engine.containers import Container
from workers.engine.images import Images
from workers.files.compare import Changes, compare
from workers.files.index import StatIndex
from workers.files.manifest import Entry
from workers.files.scan import scan
from workers.git import WorkspaceCommit, workspace_commit
from workers.releases import Release, Releases
from workers.work import Task

_SHOWN = 200
_NOT_ASKED = ComposeConfig("", {}, {})


@dataclass(frozen=True)
class DeployPlan:
    """Everything a deploy needs to know before it touches anything.

    `build` are services whose image has to be built, `pull` those whose image has to be fetched,
    `mounted` those that have a changed file mounted, `restart` all that will be restarted or
    recreated as far as can be told. `config` is empty where there is nothing to do.
    """

    workspace: Mapping[str, Entry] = field(repr=False)
    changes: Changes
    last: Release | None
    config: ComposeConfig
    builds: Mapping[str, str]
    build: tuple[str, ...]
    pull: tuple[str, ...]
    mounted: tuple[str, ...]
    restart: tuple[str, ...]
    containers: tuple[Container, ...]
    environment: str
    git: WorkspaceCommit
    workspace_index: StatIndex = field(repr=False)
    production_index: StatIndex = field(repr=False)

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
            "restart": self.restart,
            "containers": [(c.name, c.id, c.image_id) for c in self.containers],
            "environment": self.environment,
        }
        return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def make_plan(task: Task) -> DeployPlan:
    """Compares and changes nothing. Raises `project_invalid`, `sync_failed` or the Engine's."""
    project = task.project
    workspace, production = str(project.workspace), str(project.production)
    if not os.path.isdir(workspace):
        raise ScarError(
            "project_invalid",
            f"The workspace {workspace} is not there",
            "Clone the project there, or correct `workspace` in the projects file.",
        )
    indexes = _indexes(task)
    tree = scan(workspace, project.exclude, indexes[0])
    last = Releases(task.folder).latest()
    changes = compare(tree, production, last.files if last else None, indexes[1])
    left = set(changes.left_alone)
    tree = {path: entry for path, entry in tree.items() if path not in left}
    containers = tuple(task.containers.of_project(project.compose_project))
    _require_own(containers, production)
    environment = _environment(production, tree)
    git = workspace_commit(project.workspace)
    if last and changes.none and _as_released(containers, last, environment):
        builds = {name: s.build for name, s in last.services.items() if s.build}
        return DeployPlan(
            tree, changes, last, _NOT_ASKED, builds, (), (), (), (), containers, environment, git,
            *indexes,
        )  # fmt: skip
    removed = {path for path, entry in changes.after.items() if entry is None}
    preview = Preview(project.workspace, project.production, tree, removed)
    config = _config(task, preview)
    _require_possible(task, config)
    images = Images(task.engine)
    present = {name: images.id_of(service.image) for name, service in config.active.items()}
    builds, build = _builds(task, config, preview, changes, last, present)
    pull = tuple(sorted(n for n in present if not (present[n] or config.services[n].build)))
    mounted = _mounted(config, production, changes)
    restart = _restart(task, config, containers, build, mounted)
    return DeployPlan(
        tree, changes, last, config, builds, build, pull, mounted, restart, containers, environment,
        git, *indexes,
    )  # fmt: skip


def shown(plan: DeployPlan, task: Task) -> dict[str, Any]:
    """The plan as the question and the API show it."""
    changes = plan.changes
    files = {"added": changes.added, "changed": changes.changed, "removed": changes.removed}
    notices = []
    if plan.changes.kept:
        notices.append(
            f"{len(changes.kept)} of production's files were not brought by SCAR and are "
            "replaced; a copy of each is kept."
        )
    protected = [c.name for c in plan.containers if c.name in task.project.protected]
    if protected:
        notices.append(f"Protected, left as they are: {', '.join(protected)}")
    return {
        "workspace": str(task.project.workspace),
        "production": str(task.project.production),
        "nothing": plan.nothing,
        "counts": {word: len(paths) for word, paths in files.items()},
        "files": {word: _named(paths) for word, paths in files.items()},
        "drift": _named(changes.drift),
        "kept": _named(changes.kept),
        "left_alone": _named(changes.left_alone),
        "build": list(plan.build),
        "restart": list(plan.restart),
        "commit": plan.git.commit,
        "dirty": plan.git.dirty,
        "downtime": Downtimes(task.folder).estimate("deploy") if plan.restart else None,
        "notices": notices,
        "hash": plan.hash,
    }


def _named(paths: Iterable[str]) -> list[str]:
    return [path.encode("utf-8", "backslashreplace").decode() for path in list(paths)[:_SHOWN]]


def indexes_path(task: Task) -> tuple[Path, Path]:
    """Where the stat indexes of workspace and production are kept."""
    return task.folder / "workspace.index", task.folder / "production.index"


def _indexes(task: Task) -> tuple[StatIndex, StatIndex]:
    workspace, production = indexes_path(task)
    return StatIndex.load(workspace), StatIndex.load(production)


def _require_own(containers: tuple[Container, ...], production: str) -> None:
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


def _environment(production: str, tree: Mapping[str, Entry]) -> str:
    """The digest of the `.env` that Compose will use."""
    if ".env" in tree:
        return tree[".env"].digest
    found = content(Path(production, ".env"))
    return "" if found is None else hashlib.sha256(found).hexdigest()


def _as_released(containers: tuple[Container, ...], last: Release, environment: str) -> bool:
    """Whether every service still runs what the last release brought."""
    if environment != last.environment:
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


def _config(task: Task, preview: Preview) -> ComposeConfig:
    """The Compose file as it will be in production."""
    compose = Compose(task.settings.docker_host)
    task.folder.mkdir(parents=True, exist_ok=True)
    watch = Watch(check=task.check, deadline=60.0)
    return preview.config(compose, task.project.compose_project, task.folder, watch)


def _require_possible(task: Task, config: ComposeConfig) -> None:
    """What the Engine would refuse in the middle of a deploy is refused before it."""
    if not config.active:
        raise ScarError(
            "project_invalid",
            f"The Compose file of '{task.project.name}' has no service to run",
            "Add one under `services`, or name its profile as COMPOSE_PROFILES in `.env`.",
        )
    named = {s.container_name: s.name for s in config.active.values() if s.container_name}
    for container in task.containers.all() if named else ():
        service_name = named.get(container.name)
        theirs = (container.project, container.service)
        if service_name and theirs != (task.project.compose_project, service_name):
            owner = f"project '{container.project}'" if container.project else "somebody else"
            raise ScarError(
                "project_invalid",
                f"Service '{service_name}' wants the container name '{container.name}', which a "
                f"container of {owner} has",
                "Change `container_name` in the Compose file, or remove the other container.",
            )


def _builds(
    task: Task,
    config: ComposeConfig,
    preview: Preview,
    changes: Changes,
    last: Release | None,
    present: Mapping[str, str | None],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The digest of each built service's inputs, and the services that have to be built."""
    modes = {path: (entry.mode, entry.digest) for path, entry in preview.brought.items()}
    touched = set(changes.after)
    own = set(preview.compose_files())
    production = str(task.project.production)
    digests: dict[str, str] = {}
    build: list[str] = []
    for name, service in config.active.items():
        if service.build is None:
            continue
        inputs = build_inputs(service.build, production, modes, _reader(task.project.workspace))
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


def _reader(workspace: Path) -> Any:
    def read(path: str) -> bytes:
        return (workspace / path).read_bytes()

    return read


def _mounted(config: ComposeConfig, production: str, changes: Changes) -> tuple[str, ...]:
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


def _restart(
    task: Task,
    config: ComposeConfig,
    containers: tuple[Container, ...],
    build: tuple[str, ...],
    mounted: tuple[str, ...],
) -> tuple[str, ...]:
    by_service: dict[str, list[Container]] = {}
    for container in containers:
        by_service.setdefault(container.service, []).append(container)
    protected = {c.service for c in containers if c.name in task.project.protected}
    wanted = {*build, *mounted}
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
