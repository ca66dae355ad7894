"""`scar init`: a first projects file, from the Compose projects that run on the Engine."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import click

from scar.cli.docker import inspect_containers
from scar.errors import ScarError
from scar.projects.parser import parse_projects
from scar.settings import Settings

_LABEL = "com.docker.compose."


@click.command()
def init() -> None:
    """Writes a first projects file from the running Compose projects; overwrites nothing."""
    settings = Settings.load()
    path = settings.projects_file
    if path.exists():
        raise _exists(path)
    entries = _entries(settings)
    kept, left_out = _valid(entries)
    if not kept:
        raise ScarError(
            "not_found",
            "No Compose project that SCAR could look after runs on this Engine"
            + "".join(f"\n{reason}" for reason in left_out),
            f"Start one with `docker compose up -d`, or write {path} by hand.",
        )
    _write(path, json.dumps(kept, indent=2) + "\n")
    click.echo(f"✅ {path} written: {', '.join(kept)}")
    for reason in left_out:
        click.echo(f"⚠️ Left out: {reason}")
    click.echo("💡 Check each `workspace`: that is where the code is edited.")


def _entries(settings: Settings) -> dict[str, dict[str, Any]]:
    """An entry for each Compose project of which a container runs, by name."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for container in inspect_containers(f"label={_LABEL}project"):
        if _label(container, "oneoff") != "True":
            found[_label(container, "project")].append(container)
    return {
        name: _entry(name, containers, settings)
        for name, containers in sorted(found.items())
        if any(container["State"]["Running"] for container in containers)
    }


def _entry(name: str, containers: list[dict[str, Any]], settings: Settings) -> dict[str, Any]:
    ordered = _in_restart_order(containers)
    published = [c for c in ordered if any((c["NetworkSettings"]["Ports"] or {}).values())]
    primary = (published or ordered)[-1]
    entry = {
        "workspace": str(settings.projects_file.parent / name),
        "production": _label(primary, "project.working_dir"),
        "compose_project": name,
        "containers": [_name(container) for container in ordered],
        "primary_container": _name(primary),
    }
    return entry if settings.host == "default" else {**entry, "host": settings.host}


def _in_restart_order(containers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What others depend on first; by name where nothing else decides."""
    by_service: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for container in sorted(containers, key=_name):
        by_service[_label(container, "service")].append(container)
    needs = {
        service: {
            need.split(":")[0]
            for need in _label(found[0], "depends_on").split(",")
            if need.split(":")[0] in by_service
        }
        for service, found in by_service.items()
    }
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError:  # Compose refuses this; labels of several versions may still say it
        order = list(by_service)
    return [container for service in order for container in by_service[service]]


def _valid(
    entries: dict[str, dict[str, Any]],
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The entries that the projects file may hold, and why the others may not."""
    kept: dict[str, dict[str, Any]] = {}
    left_out: list[str] = []
    for name, entry in entries.items():
        _, problems = parse_projects(json.dumps({**kept, name: entry}))
        if problems:
            left_out += problems
        else:
            kept[name] = entry
    return kept, left_out


def _write(path: Path, text: str) -> None:
    """Writes the file whole or not at all, and never over another."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                os.fchmod(file.fileno(), 0o644)
            os.link(beside, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise ScarError(
            "internal",
            f"{path} cannot be written: {error.strerror}",
            "Make room or give this user the folder, or set SCAR_PROJECTS_FILE.",
        ) from error


def _exists(path: Path) -> ScarError:
    return ScarError(
        "conflict",
        f"{path} is there already",
        "Remove or rename it first; SCAR overwrites nothing.",
    )


def _label(container: dict[str, Any], name: str) -> str:
    return str((container["Config"]["Labels"] or {}).get(_LABEL + name, ""))


def _name(container: dict[str, Any]) -> str:
    return str(container["Name"]).removeprefix("/")


COMMANDS = (init,)
