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
from workers.downtimes import Downtimes
from workers.engine.build_inputs import build_inputs
from workers.engine.compose import Compose, ComposeProject, Watch
from workers.engine.compose_config import ComposeConfig, Service, compose_files
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


@dataclass(frozen=True)
class DeployPlan:
    """Everything a deploy needs to know before it touches anything.

    `build` are services whose image has to be built, `mounted` those that have a changed file
    mounted, `restart` all that will be restarted or recreated as far as can be told.
    """

    workspace: Mapping[str, Entry] = field(repr=False)
    changes: Changes
    last: Release | None
    config: ComposeConfig | None
    builds: Mapping[str, str]
    build: tuple[str, ...]
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
            tree, changes, last, None, builds, (), (), (), containers, environment, git, *indexes
        )
    config = _config(task, tree)
    builds, build = _builds(task, config, tree, changes, last)
    mounted = _mounted(config, production, changes)
    restart = _restart(config, containers, build, mounted)
    return DeployPlan(
        tree, changes, last, config, builds, build, mounted, restart, containers, environment, git,
        *indexes,
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
    path = os.path.join(production, ".env")
    if ".env" in tree:
        return tree[".env"].digest
    if os.path.isfile(path) and not os.path.islink(path):
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return ""


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


def compose_project(task: Task, folder: Path, files: tuple[Path, ...]) -> ComposeProject:
    """The project for Compose, with production's `.env` where there is one."""
    own = task.project.production / ".env"
    env_file = own if own.is_file() else None
    if env_file is None and (task.project.workspace / ".env").is_file():
        env_file = task.project.workspace / ".env"
    return ComposeProject(task.project.compose_project, folder, files, env_file)


def _config(task: Task, tree: Mapping[str, Entry]) -> ComposeConfig:
    """The workspace's Compose file as it will be in production."""
    files = compose_files(task.project.workspace)
    for file in files:
        path = os.path.relpath(file, task.project.workspace)
        if path not in tree:
            raise ScarError(
                "project_invalid",
                f"The Compose file '{path}' is not among the files that are deployed",
                "Take it out of `exclude`, or put it inside the workspace.",
            )
    compose = Compose(task.settings.docker_host)
    watch = Watch(check=task.check, deadline=60.0)
    if task.project.production.is_dir():
        try:
            return compose.config(compose_project(task, task.project.production, files), watch)
        except ScarError as error:
            if error.code != "project_invalid":
                raise
            # It may name files that only the workspace has yet, such as a new env file.
    return compose.config(compose_project(task, task.project.workspace, files), watch)


def _builds(
    task: Task,
    config: ComposeConfig,
    tree: Mapping[str, Entry],
    changes: Changes,
    last: Release | None,
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The digest of each built service's inputs, and the services that have to be built."""
    modes = {path: (entry.mode, entry.digest) for path, entry in tree.items()}
    touched = set(changes.after)
    images = Images(task.engine)
    digests: dict[str, str] = {}
    build: list[str] = []
    for name, service in config.services.items():
        if service.build is None or service.profiles:
            continue
        root = _root_of(task, service.build.context)
        inputs = build_inputs(service.build, root, modes, _reader(task.project.workspace))
        digests[name] = inputs.digest
        known = last.services.get(name) if last else None
        if known is not None and known.build is not None:
            differs = known.build != inputs.digest
        else:
            differs = last is not None or bool(touched.intersection(inputs.files))
            differs = differs or bool(touched.intersection(_compose_names(task)))
        if differs or inputs.outside or images.id_of(service.image) is None:
            build.append(name)
    return digests, tuple(sorted(build))


def _compose_names(task: Task) -> set[str]:
    files = compose_files(task.project.workspace)
    return {os.path.relpath(file, task.project.workspace) for file in files}


def _root_of(task: Task, context: str) -> str:
    """Which of the two folders Compose resolved the context against."""
    production = str(task.project.production)
    inside = context == production or context.startswith(production + "/")
    return production if inside else str(task.project.workspace)


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
    config: ComposeConfig,
    containers: tuple[Container, ...],
    build: tuple[str, ...],
    mounted: tuple[str, ...],
) -> tuple[str, ...]:
    by_service: dict[str, list[Container]] = {}
    for container in containers:
        by_service.setdefault(container.service, []).append(container)
    wanted = {*build, *mounted}
    for name, service in config.services.items():
        if not service.profiles and _differs(service, by_service.get(name, [])):
            wanted.add(name)
    return tuple(sorted(name for name in wanted if not config.services[name].profiles))


def _differs(service: Service, running: list[Container]) -> bool:
    if not running:
        return True
    return any(
        container.config_hash != service.config_hash
        or (container.state != "running" and container.exit_code != 0)
        for container in running
    )
