"""The values of a project that must not be shown: its `.env` files' and its containers' own."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from scar.projects import Project
from scar.redaction import secret_values

_LARGEST = 1 << 20


def project_secrets(project: Project) -> tuple[str, ...]:
    """The secret values in the `.env` files of production and workspace."""
    folders = (project.production, project.workspace)
    variables = [pair for folder in folders for pair in _variables(folder / ".env")]
    return tuple(value for pair in variables for value in secret_values(dict([pair])))


def _variables(path: Path) -> Iterator[tuple[str, str]]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return  # there is none, or it is no file: then it holds no values either
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
