"""What arrives from outside, from the API that receives it to the front-end that reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, cast

from redis import Redis

from scar.jobs.signing import Signatures
from scar.redis_client import redis_errors

_REMEMBERED_MS = 4 * 86_400_000
"""GitHub lets a delivery be sent again for three days."""


class Inbox:
    """A Redis stream of letters (JSON objects), each taken in once and dropped once it was read.

    What was read and not dropped, because the reader was killed, is read again. Letters are sealed:
    one makes SCAR act in somebody's name, which who can only write to Redis must not.
    """

    def __init__(self, redis: Redis, name: str, signatures: Signatures) -> None:
        self._redis = redis
        self._name = name
        self._signatures = signatures
        script = (resources.files("scar.jobs") / "lua" / "receive.lua").read_text()
        self._receive = redis.register_script(script)

    def put(self, letter: Mapping[str, Any], known_by: Sequence[str]) -> bool:
        """Takes a letter in; False where one that is known by any of the same was before."""
        names = [f"scar:{self._name}:seen:{key}" for key in known_by]
        text = self._signatures.seal("letter", letter)
        with redis_errors():
            return bool(self._receive(args=[self._stream, _REMEMBERED_MS, text, *names]))

    def read(self, after: str, *, wait_ms: int) -> list[tuple[str, dict[str, Any] | None]]:
        """The letters behind `after` ("0" is the beginning), oldest first, by their ids; waits
        for one where there is none. None for what SCAR did not put there. The client's socket has
        to be as patient.
        """
        with redis_errors():
            found: Any = self._redis.xread({self._stream: after}, count=20, block=wait_ms)
        entries = cast("list[tuple[str, dict[str, str]]]", found[0][1] if found else [])
        return [
            (id, self._signatures.unseal("letter", fields.get("letter"))) for id, fields in entries
        ]

    def drop(self, id: str) -> None:
        """The letter was dealt with."""
        with redis_errors():
            self._redis.xdel(self._stream, id)

    @property
    def _stream(self) -> str:
        return f"scar:{self._name}:inbox"
