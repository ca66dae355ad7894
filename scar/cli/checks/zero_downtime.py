"""Checks whether this host can divert and hold connections, for deploys without downtime."""

from __future__ import annotations

import json
from collections.abc import Iterator

from scar.cli.checks.check import Check
from scar.cli.checks.projects import of_this_host
from scar.cli.diversion_try import try_as_container, try_as_process
from scar.cli.docker import DockerCommand, socket_path
from scar.registration.spec import Finding
from scar.settings import Settings
from scar.settings.own_container import own_container_id

_SUBJECT = "zero downtime"
_ATTEMPTS = {
    "try": "divert connections to a stand-in",
    "try-hold": "let new connections wait",
}


def _check_diversion(settings: Settings) -> Iterator[Finding]:
    """Try it as a deploy would. A host that cannot is in order unless a project asks for it."""
    for attempt, what in _ATTEMPTS.items():
        reason = _reason(settings, attempt)
        if not reason:
            yield Finding(_SUBJECT, f"this host can {what}")
        else:
            yield _impossible(settings, what, reason)


def _impossible(settings: Settings, what: str, reason: str) -> Finding:
    asking = [project.name for project in of_this_host(settings) if project.zero_downtime]
    remedy = (
        f"{', '.join(asking)}: deployed with downtime until that is mended; docs/zero-downtime.md "
        "says what a host needs. Or take `zero_downtime` out of the projects file."
    )
    return Finding(_SUBJECT, f"this host cannot {what}: {reason}", remedy if asking else "")


def _reason(settings: Settings, attempt: str) -> str:
    docker = DockerCommand(settings.docker_host)
    info = json.loads(docker.run("info", "--format", "{{json .}}"))
    if any("rootless" in str(option) for option in info.get("SecurityOptions") or ()):
        return "rootless Docker"
    if "Docker Desktop" in str(info.get("OperatingSystem") or ""):
        return "Docker Desktop"
    own = own_container_id()
    if own is not None and docker.run("ps", "-q", "--no-trunc", "--filter", f"id={own}").strip():
        image = docker.run("inspect", "--format", "{{.Image}}", own).strip()
        return try_as_container(docker, image, attempt)
    if socket_path(settings.docker_host) is None:
        return "the Engine is on another machine than the worker"
    return try_as_process(attempt)


CHECKS = (Check(_SUBJECT, _check_diversion, needs=("docker engine", "projects file")),)
