"""Stores on Redis which messages about alerts a front-end has sent: one record for each group of
alerts and chat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from redis import Redis

from scar.errors import ScarError
from scar.jobs.results.json_record import JsonRecord
from scar.jobs.signing import Signatures
from scar.redis_client import redis_errors


@dataclass(frozen=True)
class AlertMessage(JsonRecord):
    """The message to a chat about a group of alerts. Times are milliseconds since the epoch.

    `reference` is the platform's, empty where it is not known whether the message was sent; `shown`
    says which versions of the alerts the message shows; `rings` counts the sounds since something
    was told for the first time, or as critical for the first time, at `first_at`.
    """

    group: str
    chat: str
    reference: str
    shown: str
    first_at: int
    rings: int = 1
    seen: Annotated[bool, "Somebody tapped one of its buttons, so it is not repeated"] = False
    closed: Annotated[bool, "Its recovery was told"] = False
    critical: Annotated[bool, "A sound has told of something critical"] = True

    @property
    def key(self) -> tuple[str, str]:
        """The group and the chat."""
        return self.group, self.chat


class ToldBook:
    """The records of one front-end, which alone writes and reads them, and signs them."""

    def __init__(self, redis: Redis, signatures: Signatures, front_end: str) -> None:
        self._redis = redis
        self._signatures = signatures
        self._key = f"scar:alerts:told:{front_end}"

    def put(self, message: AlertMessage) -> None:
        """Write a record."""
        sealed = self._signatures.seal("alert_message", message.to_json())
        with redis_errors():
            self._redis.hset(self._key, f"{message.group} {message.chat}", sealed)

    def drop(self, message: AlertMessage) -> None:
        """Remove a record."""
        with redis_errors():
            self._redis.hdel(self._key, f"{message.group} {message.chat}")

    def all(self) -> list[AlertMessage]:
        """Return every record that this front-end has signed."""
        with redis_errors():
            rows = cast("dict[str, str]", self._redis.hgetall(self._key))
        return [message for sealed in rows.values() if (message := self._read(sealed))]

    def _read(self, sealed: str) -> AlertMessage | None:
        try:
            opened = self._signatures.open("alert_message", sealed)
            own = opened is not None and opened.signer.part == self._signatures.part
            return AlertMessage.from_json(opened.content) if opened and own else None
        except (ScarError, TypeError, ValueError):
            return None
