"""`scar init`: writes a first projects file for the Compose projects that run on the Engine."""

from __future__ import annotations

import json
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import click

from scar.atomic_file import create_file
from scar.cli.docker import DockerCommand, compose_label
from scar.errors import ScarError
from scar.json_object import JsonObject
from scar.projects import agent_rights
from scar.projects.parser import parse_projects
from scar.settings import Settings

_OWN_SETTING = "SCAR_REDIS_URL="


@click.command()
def init() -> None:
    """Writes a first projects file from what Compose runs.

    It overwrites nothing.
    """
    settings = Settings.load()
    path = settings.projects_file
    if path.exists():
        raise _file_exists(path)
    entries = _entries(settings)
    valid, left_out = _validate(entries)
    if not valid:
        raise ScarError(
            "not_found",
            "No Compose project that SCAR could look after runs on this Engine"
            + "".join(f"\n{reason}" for reason in left_out),
            f"Start one with `docker compose up -d`, or write {path} by hand.",
        )
    _write(path, json.dumps(valid, indent=2) + "\n")
    click.echo(f"✅ {path} written: {', '.join(valid)}")
    for reason in left_out:
        click.echo(f"⚠️ Left out: {reason}")
    click.echo("💡 Check each `workspace`: that is where the code is edited. `scar doctor` looks.")
    workspaces = [path.parent / name for name in valid]
    for problem in agent_rights.problems(path, workspaces):
        click.echo(f"⚠️ {problem}. {agent_rights.REMEDY}")


def _entries(settings: Settings) -> dict[str, JsonObject]:
    """Return a projects-file entry for each Compose project with a running container, by name."""
    projects: dict[str, list[JsonObject]] = defaultdict(list)
    engine = DockerCommand(settings.docker_host)
    for container in engine.inspect_containers("label=com.docker.compose.project"):
        if compose_label(container, "oneoff") != "True":
            projects[compose_label(container, "project")].append(container)
    return {
        name: _entry(name, containers, settings)
        for name, containers in sorted(projects.items())
        if any(c["State"]["Running"] for c in containers) and not any(map(_is_scar, containers))
    }


def _is_scar(container: JsonObject) -> bool:
    """Return whether a container is a part of SCAR, which its variable `SCAR_REDIS_URL` shows."""
    return any(str(pair).startswith(_OWN_SETTING) for pair in container["Config"]["Env"] or ())


def _entry(name: str, containers: list[JsonObject], settings: Settings) -> JsonObject:
    ordered = _in_restart_order(containers)
    published = [c for c in ordered if any((c["NetworkSettings"]["Ports"] or {}).values())]
    primary = (published or ordered)[-1]
    entry = {
        "workspace": str(settings.projects_file.parent / name),
        "production": compose_label(primary, "project.working_dir"),
        "compose_project": name,
        "containers": [_name(container) for container in ordered],
        "primary_container": _name(primary),
    }
    return entry if settings.host == "default" else {**entry, "host": settings.host}


def _in_restart_order(containers: list[JsonObject]) -> list[JsonObject]:
    """Return the containers with dependencies before dependents, otherwise sorted by name."""
    by_service: dict[str, list[JsonObject]] = defaultdict(list)
    for container in sorted(containers, key=_name):
        by_service[compose_label(container, "service")].append(container)
    dependencies = {
        service: _dependencies(replicas[0]) & by_service.keys()
        for service, replicas in by_service.items()
    }
    try:
        order = list(TopologicalSorter(dependencies).static_order())
    # Compose refuses cycles, but labels of containers from different versions may form one.
    except CycleError:
        order = list(by_service)
    return [container for service in order for container in by_service[service]]


def _dependencies(container: JsonObject) -> set[str]:
    """Return the services in the label `depends_on`: `db:service_started:false,cache:...`."""
    return {part.split(":")[0] for part in compose_label(container, "depends_on").split(",")}


def _validate(
    entries: dict[str, JsonObject],
) -> tuple[dict[str, JsonObject], list[str]]:
    """Return the entries that are valid in a projects file, and the problems of the others."""
    valid: dict[str, JsonObject] = {}
    left_out: list[str] = []
    for name, entry in entries.items():
        _, problems = parse_projects(json.dumps({**valid, name: entry}))
        if problems:
            left_out += problems
        elif not Path(str(entry["workspace"])).is_dir():
            left_out.append(
                f"'{name}': there is no folder {entry['workspace']}; put its code there, "
                "then run `scar init` again"
            )
        else:
            valid[name] = entry
    return valid, left_out


def _write(path: Path, text: str) -> None:
    """Write the file atomically; raise `conflict` if `path` exists."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        create_file(path, text.encode(), mode=0o644)
    except FileExistsError as error:
        raise _file_exists(path) from error
    except OSError as error:
        raise ScarError(
            "internal",
            f"{path} cannot be written: {error.strerror}",
            "Make room or give this user the folder, or set SCAR_PROJECTS_FILE.",
        ) from error


def _file_exists(path: Path) -> ScarError:
    return ScarError(
        "conflict",
        f"{path} is there already",
        "Remove or rename it first; SCAR overwrites nothing.",
    )


def _name(container: JsonObject) -> str:
    return str(container["Name"]).removeprefix("/")


COMMANDS = (init,)
