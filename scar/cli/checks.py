"""The checks of `scar doctor`: each yields findings, with a remedy for what is wrong."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from scar.api.hosts import live_workers
from scar.cli.docker import docker, inspect_containers, permission_hint, socket_path
from scar.errors import ScarError, container_not_found
from scar.projects import ProjectsFile
from scar.redis_client import connect, redis_errors
from scar.registration.registry import front_ends
from scar.registration.spec import Finding
from scar.settings import Settings

_OLDEST_COMPOSE = (2, 29)


Check = Callable[[Settings], Iterator[Finding]]


def _check_settings(settings: Settings) -> Iterator[Finding]:
    settings.signing_key()
    yield Finding("settings", "read; the key that signs jobs is there")


def _check_projects_file(settings: Settings) -> Iterator[Finding]:
    projects = ProjectsFile.of(settings)
    if projects.problem:
        yield Finding("projects file", projects.problem.message, projects.problem.hint)
        return
    names = projects.names()
    yield Finding("projects file", f"{projects.path}: {', '.join(names) or 'no project yet'}")
    for project in projects.projects.values():
        if project.host != settings.host:
            continue
        for field, folder in (("workspace", project.workspace), ("production", project.production)):
            if not folder.is_dir():
                yield Finding(
                    f"{project.name}: {field}",
                    f"{folder} is no folder here",
                    "Make it, or mount it into SCAR at the same absolute path.",
                )


def _check_docker_cli(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    version = docker("version", "--format", "{{.Client.Version}}").strip()
    yield Finding("docker command", f"version {version}")


def _check_compose(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    version = docker("compose", "version", "--short").strip()
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    oldest = ".".join(map(str, _OLDEST_COMPOSE))
    remedy = f"Install Compose {oldest} or later." if numbers < _OLDEST_COMPOSE else ""
    yield Finding("docker compose", f"version {version}", remedy)


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


def _check_engine(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    version = docker("version", "--format", "{{.Server.Version}}").strip()
    yield Finding("docker engine", f"version {version}")


def _check_containers(settings: Settings) -> Iterator[Finding]:
    names = {container["Name"].removeprefix("/") for container in inspect_containers()}
    for project in ProjectsFile.of(settings).projects.values():
        if project.host != settings.host:
            continue
        missing = [name for name in project.containers if name not in names]
        for name in missing:
            error = container_not_found(name, sorted(names))
            yield Finding(
                f"{project.name}: containers", error.message, f"Not deployed yet? {error.hint}"
            )
        if not missing:
            listed = ", ".join(project.containers) or "found by their Compose labels"
            yield Finding(f"{project.name}: containers", listed)


def _check_redis(settings: Settings) -> Iterator[Finding]:
    try:
        with redis_errors():
            server: Any = connect(settings.effective_redis_url, timeout=3).info("server")
    except ScarError as error:
        hint = error.hint if settings.redis_url else "Start it with `scar up`."
        yield Finding("redis", error.message, hint)
        return
    yield Finding("redis", f"version {server['redis_version']}")


def _check_workers(settings: Settings) -> Iterator[Finding]:
    hosts = {project.host for project in ProjectsFile.of(settings).projects.values()}
    redis = connect(settings.effective_redis_url, timeout=3)
    for host, workers in sorted(live_workers(redis, hosts | {settings.host}).items()):
        remedy = "" if workers else f"Start one there: SCAR_HOST={host} scar worker"
        detail = f"{len(workers)} alive" if workers else "none listens"
        yield Finding(f"worker of '{host}'", detail, remedy)


def _check_api(settings: Settings) -> Iterator[Finding]:
    remedy = "Start it with `scar up` or `scar api`, or set SCAR_API_URL."
    try:
        response = httpx.get(f"{settings.api_url}/healthz", timeout=5)
    except httpx.HTTPError as error:
        yield Finding("api", f"{settings.api_url}: {type(error).__name__}", remedy)
        return
    detail = f"{settings.api_url} answers {response.status_code}"
    yield Finding("api", detail, "" if response.is_success else remedy)


def _check_state_dir(settings: Settings) -> Iterator[Finding]:
    folder = settings.state_dir
    remedy = "Give this user the folder, or set SCAR_STATE_DIR to one that can be written."
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            Path(file.name).write_bytes(b"x" * 4096)
    except OSError as error:
        yield Finding("state folder", f"{folder}: {error.strerror}", remedy)
        return
    yield Finding("state folder", f"{folder} can be written")


CHECKS: tuple[tuple[str, Check], ...] = (
    ("settings", _check_settings),
    ("projects file", _check_projects_file),
    ("docker command", _check_docker_cli),
    ("docker compose", _check_compose),
    ("docker socket", _check_socket),
    ("docker engine", _check_engine),
    ("containers", _check_containers),
    ("redis", _check_redis),
    ("workers", _check_workers),
    ("api", _check_api),
    ("state folder", _check_state_dir),
    *((spec.name, spec.check) for spec in front_ends()),
)


def run_check(name: str, check: Check, settings: Settings) -> Iterator[Finding]:
    """Yield the findings of one check; an error that the check raises becomes a finding too."""
    try:
        yield from check(settings)
    except ScarError as error:
        yield Finding(name, error.message, error.hint)
