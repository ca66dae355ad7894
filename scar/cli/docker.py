"""The `docker` command, for `scar doctor` and `scar init`: both only read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

from scar.errors import ScarError

_TRIES = 5
_SECONDS = 15


def docker(*arguments: str) -> str:
    """What `docker ARGUMENTS` prints.

    Raises `docker_unavailable` where there is no such command or Engine, and
    `docker_permission_denied` where the Engine's socket is not for this user.
    """
    if shutil.which("docker") is None:
        raise ScarError(
            "docker_unavailable",
            "docker: command not found",
            "Install the Docker CLI with its Compose plugin (docker-cli, docker-compose).",
        )
    try:
        done = subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ScarError(
            "docker_unavailable",
            f"The Docker Engine did not answer within {_SECONDS} seconds",
            "Look at the Engine's log; restart it if it hangs.",
        ) from error
    if done.returncode != 0:
        raise _failure(arguments[0], done.stderr.strip())
    return done.stdout


def inspect_containers(*filters: str) -> list[dict[str, Any]]:
    """All containers, running or not, that match every `--filter`, as `docker inspect` has them."""
    chosen = [part for one in filters for part in ("--filter", one)]
    for tries_left in reversed(range(_TRIES)):
        ids = docker("ps", "-aq", "--no-trunc", *chosen).split()
        try:
            return list(json.loads(docker("inspect", *ids))) if ids else []
        except ScarError as error:
            # One that was removed between the two commands: look again.
            if "No such object" not in error.message or not tries_left:
                raise
    return []


def socket_path(docker_host: str | None) -> str | None:
    """The Engine's socket; None where the Engine is reached in another way."""
    if docker_host is None:
        return "/var/run/docker.sock"
    return docker_host.removeprefix("unix://") if docker_host.startswith("unix://") else None


def permission_hint(path: str) -> str:
    """Which group may use the socket, and how to join it."""
    group = os.stat(path).st_gid
    return (
        f"The socket {path} belongs to group {group}: put `group_add: ['{group}']` into "
        "docker-compose.yml, or add this user to that group, and start SCAR again."
    )


def _failure(what: str, said: str) -> ScarError:
    last = said.splitlines()[-1][:300] if said else "it said nothing"
    if "permission denied" in said.lower():
        return ScarError(
            "docker_permission_denied",
            "Permission denied accessing the Docker socket",
            "See the line about the socket for the group that may use it.",
        )
    if "cannot connect" in said.lower() or "no such host" in said.lower():
        return ScarError(
            "docker_unavailable",
            f"The Docker Engine cannot be reached: {last}",
            "Start the Engine, or set DOCKER_HOST to where it listens.",
        )
    return ScarError("docker_unavailable", f"docker {what} failed: {last}", "Mend that first.")
