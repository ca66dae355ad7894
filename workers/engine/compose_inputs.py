"""All that the meaning of a Compose project depends on, as one digest."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from scar.errors import ScarError

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR)

Place = Callable[[str], Path]
"""Where the content of a project's file lies, by its path relative to the project's folder."""


def inputs_digest(files: Sequence[str], place: Place, known: Sequence[Any]) -> str | None:
    """The same digest means that `docker compose config` says the same again.

    It covers the content of the Compose `files`, of the `.env` and of the env files they name, and
    whatever is `known` besides. None where they read other files (`include`, `extends`,
    `label_file`, a path made of variables), or are not YAML as PyYAML knows it: then only Compose
    can tell. `project_invalid` where one of them is a pipe or the like, which would be read for
    ever.
    """
    texts = [content(place(name)) for name in files]
    if None in texts:
        return None
    try:
        named = {path for text in texts for path in _env_files(yaml.safe_load(text or b""))}
    except (yaml.YAMLError, _ReadsMore):
        return None
    read = [".env", *sorted(named)]
    digest = hashlib.sha256(json.dumps([list(files), read, *known]).encode())
    for found in [*texts, *(content(place(name)) for name in read)]:
        digest.update(hashlib.sha256(found).digest() if found is not None else b"-")
    return digest.hexdigest()


def content(path: Path) -> bytes | None:
    """What a regular file holds, None where there is none; `project_invalid` for anything else."""
    try:
        # A pipe would be waited for, were it not opened so.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise _unreadable(path, error.strerror or "it cannot be read") from error
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _unreadable(path, "it is not a regular file")
        return file.read()


def _unreadable(path: Path, why: str) -> ScarError:
    return ScarError(
        "project_invalid",
        f"Compose cannot read {path}: {why}",
        "Put a readable file there, or take its name out of the Compose file.",
    )


class _ReadsMore(Exception):
    """The Compose file depends on what is not looked at here."""


def _env_files(found: object) -> Iterator[str]:
    """The paths in `env_file` of every service."""
    root = _mapping(found)
    if "include" in root:
        raise _ReadsMore
    for service in map(_mapping, _mapping(root.get("services")).values()):
        if "label_file" in service or "file" in _mapping(service.get("extends", {})):
            raise _ReadsMore
        named = service.get("env_file") or []
        for entry in named if isinstance(named, list) else [named]:
            path = entry if isinstance(entry, str) else str(_mapping(entry).get("path", "$"))
            if "$" in path or path.startswith("~"):
                raise _ReadsMore
            yield path


def _mapping(found: object) -> Mapping[str, Any]:
    if isinstance(found, str):  # `extends: name` is of the same file
        return {}
    if not isinstance(found, Mapping):
        raise _ReadsMore
    return found
