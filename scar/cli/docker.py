"""Runs the `docker` command for `scar doctor` and `scar init`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass

from scar.errors import ScarError
from scar.json_object import JsonObject

_ATTEMPTS = 5
_TIMEOUT_SECONDS = 15


@dataclass(frozen=True)
class DockerCommand:
    """The `docker` command for the Engine at `host`; without a host, the command's own default."""

    host: str | None = None

    def run(self, *arguments: str) -> str:
        """Run `docker ARGUMENTS` and return what it prints.

        Raises `docker_unavailable` where the command or the Engine is missing, fails or does not
        answer within 15 seconds, and `docker_permission_denied` where this user may not use the
        socket.
        """
        if shutil.which("docker") is None:
            raise ScarError(
                "docker_unavailable",
                "docker: command not found",
                "Install the Docker CLI with its Compose plugin (docker-cli, docker-compose).",
            )
        try:
            completed = subprocess.run(
                ["docker", *arguments],
                env={**os.environ, **({"DOCKER_HOST": self.host} if self.host else {})},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ScarError(
                "docker_unavailable",
                f"The Docker Engine did not answer within {_TIMEOUT_SECONDS} seconds",
                "Look at the Engine's log; restart it if it hangs.",
            ) from error
        if completed.returncode != 0:
            raise _failure(arguments[0], completed.stderr.strip())
        return completed.stdout

    def inspect_containers(self, *filters: str) -> list[JsonObject]:
        """Return all containers that match every filter, in any state, as `docker inspect` does."""
        options = [word for condition in filters for word in ("--filter", condition)]
        for attempts_left in reversed(range(_ATTEMPTS)):
            ids = self.run("ps", "-aq", "--no-trunc", *options).split()
            try:
                return list(json.loads(self.run("inspect", *ids))) if ids else []
            except ScarError as error:
                # A container was removed between the two commands.
                if "No such object" not in error.message or not attempts_left:
                    raise
        return []


def compose_label(container: JsonObject, name: str) -> str:
    """Return a label of Compose's; an empty text where the container has none."""
    return str((container["Config"]["Labels"] or {}).get(f"com.docker.compose.{name}", ""))


def socket_path(docker_host: str | None) -> str | None:
    """Return the path of the Engine's socket; None if DOCKER_HOST is not a unix socket."""
    if docker_host is None:
        return "/var/run/docker.sock"
    return docker_host.removeprefix("unix://") if docker_host.startswith("unix://") else None


def permission_hint(path: str) -> str:
    """Return a hint that names the group with access to the socket, and how to add SCAR to it."""
    group = os.stat(path).st_gid
    return (
        f"The socket {path} belongs to group {group}: put `group_add: ['{group}']` into "
        "docker-compose.yml, or add this user to that group, and start SCAR again."
    )


def _failure(command: str, output: str) -> ScarError:
    last = output.splitlines()[-1][:300] if output else "it said nothing"
    if "permission denied" in output.lower():
        return ScarError(
            "docker_permission_denied",
            "Permission denied accessing the Docker socket",
            "See the line about the socket for the group that may use it.",
        )
    if "cannot connect" in output.lower() or "no such host" in output.lower():
        return ScarError(
            "docker_unavailable",
            f"The Docker Engine cannot be reached: {last}",
            "Start the Engine, or set DOCKER_HOST to where it listens.",
        )
    return ScarError("docker_unavailable", f"docker {command} failed: {last}", "Mend that first.")
