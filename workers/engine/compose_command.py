"""Builds the command line and the environment of `docker compose`."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scar.errors import ScarError
from workers.engine.process import Process, RunControl

QUICK_SECONDS = 60.0
"""Time limit in seconds for a Compose command that only reads."""

# Compose must not see SCAR's own settings, nor variables that change the meaning of a Compose file:
# a project's variables come from its `.env`. Variables for proxies and certificates are passed on,
# since pulls and builds need them.
_PASSED_ON = (
    "PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR",
    "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
REMOTE = ("COMPOSE_EXPERIMENTAL_GIT_REMOTE", "COMPOSE_EXPERIMENTAL_OCI_REMOTE")
"""The variables that permit `include` and `extends` to name files of other hosts. They are always
set, since a project's `.env` cannot override them then.
"""

_FIXED = {
    "LANG": "C.UTF-8",
    "COMPOSE_MENU": "0",
    "COMPOSE_ANSI": "never",
    # A project's `.env` could enable it, but SCAR removes only containers that it created.
    "COMPOSE_REMOVE_ORPHANS": "0",
    # Bake makes each build up to half a second slower, and its steps do not name the service.
    "COMPOSE_BAKE": "false",
    **dict.fromkeys(REMOTE, "false"),
}
RESERVED = frozenset({*_PASSED_ON, *_FIXED})
"""The variables that SCAR sets for Compose, which a project's `.env` cannot change."""

_STARTED_BY = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"
_PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)


@dataclass(frozen=True)
class ComposeProject:
    """The properties that identify a project to Compose.

    `folder` is the base of relative paths. It contains the project's `.env`, unless `env_file`
    names another file.
    """

    name: str
    folder: Path
    files: tuple[Path, ...]
    env_file: Path | None = None


def compose_environment(
    docker_host: str | None, environ: Mapping[str, str], *, remote: bool = False
) -> dict[str, str]:
    """Return Compose's environment, for the Engine at `docker_host` or the one `environ` names.

    With `remote`, Compose may fetch files from other hosts.
    """
    env = {key: environ[key] for key in _PASSED_ON if key in environ} | _FIXED
    if remote:
        env |= dict.fromkeys(REMOTE, "true")
    if docker_host:
        env["DOCKER_HOST"] = docker_host
        env.pop("DOCKER_CONTEXT", None)
    return env


def compose_argv(project: ComposeProject, options: Sequence[str], verb: Sequence[str]) -> list[str]:
    """Return the arguments of `docker compose`: global options, the project's options, then the
    verb.
    """
    argv = [*options, "-p", project.name, "--project-directory", str(project.folder)]
    for file in project.files:
        argv += ["-f", str(file)]
    if project.env_file is not None:
        argv += ["--env-file", str(project.env_file)]
    return [*argv, *verb]


def compose_program(env: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the words that start Compose, and variables to add to its environment.

    Raises `docker_unavailable` if the Docker CLI is not installed. Compose's plugin is started
    directly, as the CLI would start it after querying its metadata: that takes 60 instead of 165
    ms. If the plugin is in no usual folder, the CLI is used to find it.
    """
    docker = shutil.which("docker", path=env.get("PATH"))
    if docker is None:
        raise ScarError(
            "docker_unavailable",
            "docker: command not found",
            "Install the Docker CLI with its Compose plugin where the worker runs "
            "(SCAR's own image has both), then restart SCAR.",
        )
    plugin = _compose_plugin(env)
    if plugin is None:
        return [docker, "compose"], {}
    return [plugin, "compose"], {_STARTED_BY: docker}


def _compose_plugin(env: Mapping[str, str]) -> str | None:
    """Return the path of Compose's plugin; None if only the CLI can tell which one it is.

    The order is that of docker/cli, cli-plugins/manager.
    """
    home = env.get("HOME")
    config = env.get("DOCKER_CONFIG") or (f"{home}/.docker" if home else None)
    if config is None or _has_plugin_folders(f"{config}/config.json"):
        return None
    for folder in (f"{config}/cli-plugins", *_PLUGIN_FOLDERS):
        path = f"{folder}/docker-compose"
        if os.path.exists(path):
            return path if os.access(path, os.X_OK) else None
    return None


def _has_plugin_folders(config: str) -> bool:
    """Return whether the CLI's configuration names additional plugin folders, or cannot be read."""
    try:
        with open(config, encoding="utf-8") as file:
            values = json.load(file)
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return not isinstance(values, dict) or bool(values.get("cliPluginsExtraDirs"))


def compose_version(env: Mapping[str, str]) -> tuple[int, ...]:
    """Return Compose's version, such as (2, 40, 3); cached for each environment."""
    return _read_version(tuple(sorted(env.items())))


@cache
def _read_version(variables: tuple[tuple[str, str], ...]) -> tuple[int, ...]:
    env = dict(variables)
    lines: list[str] = []
    program, more = compose_program(env)
    process = Process(
        [*program, "version", "--short"],
        cwd=Path("/"),
        env=env | more,
        control=RunControl(deadline=QUICK_SECONDS),
        name="docker compose version",
    )
    result = process.run(stdout=lines.append, stderr=lines.append)
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", " ".join(lines))
    if result.code != 0 or not match:
        raise ScarError(
            "docker_unavailable",
            "docker compose: command not found",
            "Install Docker's Compose plugin where the worker runs, then restart SCAR.",
            lines=tuple(lines[-5:]),
        )
    return tuple(int(part or 0) for part in match.groups())
