"""Collects the secrets of a project: in its `.env` files and in its containers' environments."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import structlog

from scar.errors import ScarError
from scar.projects import Project
from scar.redaction import secret_values
from workers.engine.containers import Containers

_LARGEST = 1 << 20
_log = structlog.get_logger(__name__)


def project_secrets(project: Project) -> tuple[str, ...]:
    """Return the secret values in the `.env` files of production and workspace."""
    folders = (project.production, project.workspace)
    variables = [pair for folder in folders for pair in _variables(folder / ".env")]
    return tuple(value for pair in variables for value in secret_values(dict([pair])))


def container_secrets(project: Project, containers: Containers) -> Iterator[str]:
    """Yield the secret values in the environments of the project's containers; nothing if the
    Engine fails.
    """
    try:
        for container in containers.of_project(project.compose_project, project.containers):
            yield from secret_values(containers.inspect(container.id).environment)
    except ScarError as error:
        _log.warning("not every secret is known", reason=error.message)


def _variables(path: Path) -> Iterator[tuple[str, str]]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return  # the file does not exist or cannot be read, so there is nothing to mask
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return
        text = os.read(handle, _LARGEST).decode("utf-8", "replace")
    finally:
        os.close(handle)
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            yield name.strip(), value.split(" #")[0].strip().strip("'\"")
