"""Records of what was set for chats: a hash on Redis, each signed by its chat's front-end or the
API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar, cast

from redis import Redis

from scar.alerts.alert_book import CHANGES
from scar.errors import ScarError
from scar.jobs.signing import Signatures
from scar.json_object import JsonObject
from scar.keys.key_store import API
from scar.redis_client import redis_errors


class ChatRecord(Protocol):
    """A setting of one chat, such as a mute."""

    @property
    def chat(self) -> str:
        """The chat, which names its front-end."""

    def to_json(self) -> JsonObject:
        """Return the record as a JSON object."""

    @classmethod
    def from_json(cls, document: JsonObject, /) -> Self:
        """Read `to_json`."""


RecordT = TypeVar("RecordT", bound=ChatRecord)


@dataclass(frozen=True)
class ChatRecords(Generic[RecordT]):
    """The hash `key` on Redis. Each record is signed as a `kind`, in the field that `field_of`
    gives it.
    """

    redis: Redis
    signatures: Signatures
    key: str
    kind: str
    type: type[RecordT]
    field_of: Callable[[RecordT], str]

    def all(self) -> list[RecordT]:
        """Return the records that the API or the front-end of their chat has signed."""
        with redis_errors():
            rows = cast("dict[str, str]", self.redis.hgetall(self.key))
        return [record for row in rows.items() if (record := self._read(*row)) is not None]

    def change(self, put: Iterable[RecordT], drop: Iterable[str]) -> None:
        """Write records and remove the fields `drop`, in one step."""
        rows = {self.field_of(r): self.signatures.seal(self.kind, r.to_json()) for r in put}
        gone = list(drop)
        with redis_errors():
            pipe = self.redis.pipeline()
            if gone:
                pipe.hdel(self.key, *gone)
            for field, sealed in rows.items():
                pipe.hset(self.key, field, sealed)
            pipe.incr(CHANGES)
            pipe.execute()

    def _read(self, field: str, sealed: str) -> RecordT | None:
        try:
            opened = self.signatures.open(self.kind, sealed)
            record = self.type.from_json(opened.content) if opened else None
        except (ScarError, TypeError, ValueError):
            return None
        if opened is None or record is None or field != self.field_of(record):
            return None
        front_end = record.chat.partition(":")[0]
        may = opened.signer.part == API or opened.signer.speaks_for(front_end)
        return record if may else None
