"""Remembers which job a finished message shows, because a reply to it means that job."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import cast

from redis import Redis

from scar.chat.front_end import Place
from scar.jobs.signing import Signatures
from scar.jobs.subscriptions import Subscription
from scar.redis_client import redis_errors

_SECONDS = 7 * 86_400


class ShownMessages:
    """The finished messages of one front-end, kept on Redis for a week in the form of their
    subscriptions.
    """

    def __init__(self, redis: Redis, signatures: Signatures, front_end: str) -> None:
        self._redis = redis
        self._signatures = signatures
        self._front_end = front_end

    def put(self, place: Place, reference: str, job_id: str) -> None:
        """Store which job a message shows."""
        message = json.dumps({"reference": reference})
        shown = Subscription(self._front_end, job_id, place.key, message)
        sealed = self._signatures.seal("subscription", asdict(shown))
        with redis_errors():
            self._redis.set(self._key(place, reference), sealed, ex=_SECONDS)

    def job_of(self, place: Place, reference: str) -> str | None:
        """Return the id of the job that a message shows; None if there is no record signed by this
        front-end.
        """
        with redis_errors():
            sealed = cast("str | None", self._redis.get(self._key(place, reference)))
        opened = self._signatures.open("subscription", sealed)
        if opened is None or opened.signer.part != self._front_end:
            return None
        content = opened.content
        message = json.dumps({"reference": reference})
        fits = (content["front_end"], content["place"], content["message"]) == (
            *(self._front_end, place.key),
            message,
        )
        return str(content["job_id"]) if fits else None

    def _key(self, place: Place, reference: str) -> str:
        return f"scar:shown:{self._front_end}:{place.key}:{reference}"
