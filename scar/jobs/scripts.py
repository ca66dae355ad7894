"""The Lua scripts of `lua/`: each runs as one step on Redis, and may run twice."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

from redis import Redis
from redis.commands.core import Script

_SHARED = ("prelude", "slots")


def scripts(redis: Redis, *names: str) -> Mapping[str, Script]:
    """Return the scripts with these names, each prefixed with their common functions."""
    folder = resources.files("scar.jobs") / "lua"
    prelude = "".join((folder / f"{name}.lua").read_text() for name in _SHARED)
    return {
        name: redis.register_script(prelude + (folder / f"{name}.lua").read_text())
        for name in names
    }
