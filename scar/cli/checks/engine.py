"""Checks of the Docker Engine and of the projects' containers on it."""

from __future__ import annotations

import ctypes
import os
import re
import stat
import sys
from collections.abc import Iterator

from scar.cli.checks.check import Check
from scar.cli.checks.projects import of_this_host
from scar.cli.docker import DockerCommand, compose_label, permission_hint, socket_path
from scar.errors import container_not_found
from scar.json_object import JsonObject
from scar.projects import Project
from scar.registration.spec import Finding
from scar.settings import Settings

_OLDEST_COMPOSE = (2, 29)
_LANDLOCK_CREATE_RULESET = 444


def _check_docker_cli(settings: Settings) -> Iterator[Finding]:
    version = DockerCommand(settings.docker_host).run("version", "--format", "{{.Client.Version}}")
    yield Finding("docker command", f"version {version.strip()}")


def _check_compose(settings: Settings) -> Iterator[Finding]:
    version = DockerCommand(settings.docker_host).run("compose", "version", "--short").strip()
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    oldest = ".".join(map(str, _OLDEST_COMPOSE))
    remedy = f"Install Compose {oldest} or later." if numbers < _OLDEST_COMPOSE else ""
    yield Finding("docker compose", f"version {version}", remedy)


def _check_planning(_settings: Settings) -> Iterator[Finding]:
    """Check whether Compose can be confined to the project's files while a plan is made."""
    version = 0
    if sys.platform == "linux":
        version = ctypes.CDLL(None).syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version > 0:
        yield Finding("planning", "Compose reads the project's files alone, and has no network")
    else:
        yield Finding(
            "planning",
            "this kernel has no Landlock: Compose could read other files of this host, if SCAR's "
            "own look at the Compose file missed one (Linux 5.13 has it)",
        )


def _check_socket(settings: Settings) -> Iterator[Finding]:
    path = socket_path(settings.docker_host)
    if path is None:
        yield Finding("docker socket", f"none: DOCKER_HOST is {settings.docker_host}")
        return
    try:
        status = os.stat(path)
    except OSError as error:
        yield Finding(
            "docker socket",
            f"{path}: {error.strerror}",
            "Start the Engine, set DOCKER_HOST, or mount the socket into the worker's container.",
        )
        return
    if not stat.S_ISSOCK(status.st_mode):
        yield Finding("docker socket", f"{path} is no socket", "Set DOCKER_HOST to the Engine's.")
    elif not os.access(path, os.R_OK | os.W_OK):
        yield Finding("docker socket", f"Permission denied accessing {path}", permission_hint(path))
    else:
        yield Finding("docker socket", f"{path} (group {status.st_gid})")


def _check_engine(settings: Settings) -> Iterator[Finding]:
    version = DockerCommand(settings.docker_host).run("version", "--format", "{{.Server.Version}}")
    yield Finding("docker engine", f"version {version.strip()}")


def _check_containers(settings: Settings) -> Iterator[Finding]:
    by_name = {
        str(container["Name"]).removeprefix("/"): container
        for container in DockerCommand(settings.docker_host).inspect_containers()
    }
    for project in of_this_host(settings):
        yield from _check_project(project, by_name, settings)


def _check_project(
    project: Project, by_name: dict[str, JsonObject], settings: Settings
) -> Iterator[Finding]:
    """Yield the project's containers, missing ones, and ones that belong to another Compose
    project.
    """
    subject = f"{project.name}: containers"
    owners = {n: compose_label(c, "project") for n, c in by_name.items()}
    strange = [
        n for n in project.containers if owners.get(n) not in (None, project.compose_project)
    ]
    for name in strange:
        owner = f"Compose project '{owners[name]}'" if owners[name] else "no Compose project"
        yield Finding(
            subject,
            f"'{name}' belongs to {owner}, not to '{project.compose_project}'",
            "Take it out of `containers`, or correct `compose_project`, in the projects file.",
        )
    missing = [name for name in project.containers if name not in by_name]
    if not _was_deployed(project, owners, settings):
        yield Finding(subject, f"not deployed yet: `scar deploy {project.name}` makes them")
        return
    for name in missing:
        error = container_not_found(name, sorted(by_name))
        yield Finding(subject, error.message, error.hint)
    if not missing and not strange:
        yield Finding(subject, ", ".join(project.containers) or "found by their Compose labels")


def _was_deployed(project: Project, owners: dict[str, str], settings: Settings) -> bool:
    """Return whether the project was ever deployed, or any of its containers exists."""
    releases = settings.state_dir / "projects" / project.name / "releases"
    try:
        if any(releases.iterdir()):
            return True
    except OSError:
        pass
    return project.compose_project in owners.values() or any(
        name in owners for name in project.containers
    )


CHECKS = (
    Check("docker command", _check_docker_cli),
    Check("docker compose", _check_compose, needs=("docker command",)),
    Check("planning", _check_planning, needs=("docker compose",)),
    Check("docker socket", _check_socket),
    Check("docker engine", _check_engine, needs=("docker command", "docker socket")),
    Check("containers", _check_containers, needs=("docker engine",)),
)
