"""An inbox on Redis for deliveries from outside, such as GitHub's webhooks: the API writes, a
front-end reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any, cast

from redis import Redis

from scar.jobs.signing import Signatures
from scar.json_object import JsonObject
from scar.keys.key_store import API
from scar.redis_client import redis_errors

_REMEMBERED_MS = 4 * 86_400_000
"""How long a delivery's keys are remembered; GitHub redelivers within three days."""


class Inbox:
    """A Redis stream of letters: deliveries as JSON objects, each appended once and deleted when it
    is handled.

    A letter whose reader was killed before deleting it is read again. Letters are sealed, because
    SCAR acts on them in a person's name, for which write access to Redis must not be enough.
    """

    def __init__(self, redis: Redis, name: str, signatures: Signatures) -> None:
        self._redis = redis
        self._name = name
        self._signatures = signatures
        script = (resources.files("scar.jobs") / "lua" / "receive.lua").read_text()
        self._receive = redis.register_script(script)

    def put(self, letter: JsonObject, known_by: Sequence[str]) -> bool:
        """Append a letter; return False if a letter with one of the same keys was appended
        before.
        """
        keys = [f"scar:{self._name}:seen:{key}" for key in known_by]
        text = self._signatures.seal("letter", letter)
        with redis_errors():
            return bool(self._receive(args=[self._stream, _REMEMBERED_MS, text, *keys]))

    def read(self, after: str, *, wait_ms: int) -> list[tuple[str, JsonObject | None]]:
        """Return up to 20 letters that follow the id `after` ("0" for the first), oldest first,
        with their ids; None in place of a letter without the API's valid seal.

        Waits up to `wait_ms` for a letter; the client's socket timeout must be longer than that.
        """
        with redis_errors():
            streams: Any = self._redis.xread({self._stream: after}, count=20, block=wait_ms)
        entries = cast("list[tuple[str, dict[str, str]]]", streams[0][1] if streams else [])
        return [(id, self._open(fields.get("letter"))) for id, fields in entries]

    def _open(self, sealed: str | None) -> JsonObject | None:
        opened = self._signatures.open("letter", sealed)
        return opened.content if opened and opened.signer.part == API else None

    def drop(self, id: str) -> None:
        """Delete a letter (a stored delivery) that was handled."""
        with redis_errors():
            self._redis.xdel(self._stream, id)

    @property
    def _stream(self) -> str:
        return f"scar:{self._name}:inbox"
