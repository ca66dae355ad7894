"""Parses the argument `container` of commands that read one container."""

from __future__ import annotations

from scar.commands.command import Command
from scar.json_object import JsonObject

_LONGEST = 128


def container_argument(command: Command, raw: JsonObject) -> dict[str, str]:
    """Return `container`, cut to 128 characters, if `raw` has it, else an empty dictionary.

    Raises `invalid_request` if the value is not a container's name.
    """
    container = raw.get("container")
    if container is None:
        return {}
    if not isinstance(container, str) or not container:
        raise command.misuse("'container' is a container's name")
    return {"container": container[:_LONGEST]}
