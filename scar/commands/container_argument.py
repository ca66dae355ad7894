"""The argument `container` of commands that read one container."""

from __future__ import annotations

from scar.commands.command import Command
from scar.json_object import JsonObject

_LONGEST = 128


def container_argument(command: Command, raw: JsonObject) -> dict[str, str]:
    """Return `container`, an exact name cut to 128 characters, where `raw` has it.

    Raises `invalid_request` where it is no name.
    """
    container = raw.get("container")
    if container is None:
        return {}
    if not isinstance(container, str) or not container:
        raise command.misuse("'container' is a container's name")
    return {"container": container[:_LONGEST]}
