"""Tells whether an image may be built from another image of the same project."""

from __future__ import annotations

import json
import re
from pathlib import Path

from scar.json_object import JsonObject
from workers.engine.regular_file import read_regular_file

_BASE = re.compile(r"(?:^\s*FROM\s+(?:--\S+\s+)*|--from=)([^\s:@]+)", re.IGNORECASE | re.MULTILINE)
_BETWEEN_NAMES = re.compile(r"[^\w./-]+")


def base_text(build: JsonObject) -> str:
    """Return the text that names the base images of a resolved build section: its Dockerfile, if
    that is a file of this machine, and the section itself, with its arguments and contexts.
    """
    path = Path(build.get("context") or "", build.get("dockerfile") or "Dockerfile")
    content = read_regular_file(path) or b""
    return f"{content.decode('utf-8', 'replace')}\n{build.get('dockerfile_inline') or ''}\n" + (
        json.dumps({name: build[name] for name in build if name != "dockerfile_inline"})
    )


def may_be_base(image: str, text: str) -> bool:
    """Return whether what is built by a `base_text` may start from an image: its name occurs there,
    or the name of a base is put together from variables.
    """
    if any("$" in name for name in _BASE.findall(text)):
        return True
    repository = image.rpartition(":")[0] if ":" in image.rpartition("/")[2] else image
    return _names(repository)[-1] in _names(text)


def _names(text: str) -> list[str]:
    names = (name.strip("/") for name in _BETWEEN_NAMES.split(text))
    return [name.removeprefix("docker.io/").removeprefix("library/") for name in names]
