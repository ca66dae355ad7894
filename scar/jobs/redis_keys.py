"""What SCAR keeps on Redis: the type of each key, and how one of another type is set aside.

Whoever writes to Redis can put a list where a hash belongs, and every command on that key then
fails. Such a key is renamed, so that the part goes on as if it were not there, and what it held can
be looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, cast

from redis import Redis

from scar.redis_client import redis_errors

SET_ASIDE = "scar:set-aside:"
"""What the name of a key begins with that was set aside; it is kept for 30 days."""

KEPT_SECONDS = 30 * 86_400
_PAGE = 1000

TYPES: Mapping[str, str] = {
    "alerts": "hash",
    "alerts:changes": "string",
    "alerts:chats": "hash",
    "alerts:mutes": "hash",
    "audit": "stream",
    "audit:tip": "string",
    "cancelled": "zset",
    "counters": "hash",
    "forget:last": "string",
    "github:accounts": "hash",
    "github:deploys": "hash",
    "github:inbox": "stream",
    "github:pushes": "hash",
    "hosts": "set",
    "jobs": "zset",
    "jobs-changing": "zset",
    "locks": "hash",
    "open": "zset",
    "ready": "string",
    "refusals": "stream",
    "repositories": "hash",
    "roles": "string",
    "sweep:grace": "string",
    "sweep:last": "string",
    "telegram:bot": "string",
}
"""The type of each key of one name, without `scar:`."""

FAMILIES: Mapping[str, str] = {
    "alerts:told": "hash",
    "bake": "string",
    "choice": "string",
    "github:seen": "string",
    "heard": "string",
    "hold": "string",
    "idempotency": "hash",
    "job": "hash",
    "jobs": "zset",
    "jobs-changing": "zset",
    "lease": "string",
    "long": "hash",
    "mq:_kombu.binding.": "set",
    "mq:host.": "list",
    "mq:unacked": "hash",
    "mq:unacked_index": "zset",
    "page:link": "string",
    "page:mini-app": "string",
    "page:session": "string",
    "page:sessions": "set",
    "report": "string",
    "shown": "string",
    "slots": "hash",
    "waiting": "hash",
    "wake": "stream",
    "watches": "hash",
    "worker": "hash",
    "workers": "zset",
}
"""The type of keys by what their names begin with; a job's events, `job:<id>:events`, are a
stream.
"""


def set_aside_wrong_keys(redis: Redis) -> list[str]:
    """Rename every key of SCAR's that has another type than it must have, and every stream that
    ends in the future; return what they were called.
    """
    script = redis.register_script(
        (resources.files("scar.jobs") / "lua" / "set_aside.lua").read_text()
    )
    arguments = (json.dumps(dict(TYPES)), json.dumps(dict(FAMILIES)), SET_ASIDE, KEPT_SECONDS)
    renamed: list[str] = []
    cursor: Any = "0"
    while True:
        with redis_errors():
            cursor, names = cast("list[Any]", script(args=[cursor, _PAGE, *arguments]))
        renamed += names
        if str(cursor) == "0":
            return renamed
