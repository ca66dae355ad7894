"""All that the meaning of a Compose project depends on, as one digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml


def inputs_digest(
    folder: Path, files: Sequence[Path], env_file: Path | None, known: Sequence[Any]
) -> str | None:
    """The same digest means that `docker compose config` says the same again.

    It covers the content of the Compose files, of the `.env` and of the env files they name, the
    folder, and whatever is `known` besides. None where they read other files (`include`,
    `extends`, `label_file`, a path made of variables), or are not YAML as PyYAML knows it:
    then only Compose can tell.
    """
    try:
        texts = [file.read_bytes() for file in files]
        named = sorted({path for text in texts for path in _env_files(yaml.safe_load(text))})
    except (OSError, yaml.YAMLError, _ReadsMore):
        return None
    read = [env_file or folder / ".env", *(folder / path for path in named)]
    whole = [str(folder), [str(file) for file in files], [str(path) for path in read], *known]
    digest = hashlib.sha256(json.dumps(whole).encode())
    for content in [*texts, *(_content(path) for path in read)]:
        digest.update(hashlib.sha256(content).digest() if content is not None else b"-")
    return digest.hexdigest()


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


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
