"""The types of SCAR's keys on Redis, and how a key of another type is set aside.

Whoever can write to Redis can put a list where a hash belongs, so that every command on that key
fails. Such a key is renamed: SCAR continues as if it did not exist, and its content can be
inspected.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, cast

from redis import Redis

from scar.redis_client import redis_errors

SET_ASIDE = "scar:set-aside:"
"""The prefix of keys that were set aside; they are kept for 30 days."""

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
"""The type of keys by the prefix of their names; a job's events, `job:<id>:events`, are a stream.
"""


def set_aside_wrong_keys(redis: Redis) -> list[str]:
    """Rename every key of SCAR that has a wrong type, and every stream whose last id is in the
    future; return their former names.
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
