"""Computes a digest of everything that `docker compose config` reads."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from scar.errors import ScarError
from scar.json_object import JsonObject

_ABSENT = (errno.ENOENT, errno.ENOTDIR)

LocateFile = Callable[[str], Path]
"""A function that returns the present path of a project's file, given its path relative to the
project's folder.
"""


def inputs_digest(
    files: Sequence[str], locate: LocateFile, context: Sequence[object]
) -> str | None:
    """Return a digest that changes whenever the output of `docker compose config` could change.

    It covers the content of the Compose `files`, of `.env` and of the env files, and the JSON of
    `context`. Returns None if the files refer to further files (`include`, `extends`, `label_file`,
    a path with variables) or if PyYAML cannot parse them; Compose must then be run. Raises
    `project_invalid` if one of them is no regular file, because reading a pipe could block forever.
    """
    texts = [read_regular_file(locate(name)) for name in files]
    if None in texts:
        return None
    try:
        env_files = {path for text in texts for path in _env_files(yaml.safe_load(text or b""))}
    except (yaml.YAMLError, _ReadsMore):
        return None
    names = [".env", *sorted(env_files)]
    digest = hashlib.sha256(json.dumps([list(files), names, *context]).encode())
    for text in [*texts, *(read_regular_file(locate(name)) for name in names)]:
        digest.update(hashlib.sha256(text).digest() if text is not None else b"-")
    return digest.hexdigest()


def read_regular_file(path: Path) -> bytes | None:
    """Return the content of a regular file, None if it does not exist; raise `project_invalid`
    for anything else.
    """
    try:
        # O_NONBLOCK, since opening a pipe would otherwise block until it has a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise _unreadable(path, error.strerror or "it cannot be read") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _unreadable(path, "it is not a regular file")
        return file.read()


def _unreadable(path: Path, why: str) -> ScarError:
    return ScarError(
        "project_invalid",
        f"Compose cannot read {path}: {why}",
        "Put a readable file there, or take its name out of the Compose file.",
    )


class _ReadsMore(Exception):
    """Raised if the Compose file refers to files that the digest does not cover."""


def _env_files(document: object) -> Iterator[str]:
    """Yield the paths in each service's `env_file`."""
    root = _mapping(document)
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


def _mapping(value: object) -> JsonObject:
    if isinstance(value, str):  # `extends: NAME` refers to a service in the same file
        return {}
    if not isinstance(value, Mapping):
        raise _ReadsMore
    return value
