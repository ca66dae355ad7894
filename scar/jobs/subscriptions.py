"""Subscriptions: which chats show a job, stored on Redis until the message there shows the job's
end.

Each front-end has one hash, `scar:watches:<front-end>`, from `<job id> <place>` to the state of the
message that shows the job there. The subscription of the chat that requested a job is written by
`submit.lua`, atomically with the job.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

from redis import Redis

from scar.redis_client import redis_errors

NEW_MESSAGE = "{}"
"""The state of a message that has not been sent yet."""


@dataclass(frozen=True)
class Subscription:
    """A job that a front-end has to show in a place until the job has ended.

    `place` and `message` are texts that only the front-end can parse; `message` (JSON) is the state
    with which a restarted front-end continues the message.
    """

    front_end: str
    job_id: str
    place: str
    message: str = NEW_MESSAGE


@dataclass(frozen=True)
class Subscriber:
    """A front-end, and a place in the front-end's own format, in which a new job is to be shown."""

    front_end: str
    place: str


class Subscriptions:
    """Reads, writes and deletes subscriptions on Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def of(self, front_end: str) -> list[Subscription]:
        """Return all subscriptions of a front-end, including those that other processes wrote."""
        with redis_errors():
            rows = cast("dict[str, str]", self._redis.hgetall(_key(front_end)))
        return [_subscription(front_end, field, message) for field, message in rows.items()]

    def put(self, subscription: Subscription) -> None:
        """Write a subscription; it replaces an earlier one of the same job and place."""
        field = f"{subscription.job_id} {subscription.place}"
        with redis_errors():
            self._redis.hset(_key(subscription.front_end), field, subscription.message)

    def drop(self, subscription: Subscription) -> None:
        """Delete a subscription, also if an earlier version wrote it."""
        field = f"{subscription.job_id} {subscription.place}"
        with redis_errors():
            self._redis.hdel(_key(subscription.front_end), field, subscription.job_id)


def _key(front_end: str) -> str:
    return f"scar:watches:{front_end}"


def _subscription(front_end: str, field: str, message: str) -> Subscription:
    job_id, _, place = field.partition(" ")
    return Subscription(front_end, job_id, place or _place_in(message), message)


def _place_in(message: str) -> str:
    """Return the place in a message state that an earlier version wrote. Its hash field was the
    job's id alone, with the place in the value. Empty if there is none.
    """
    try:
        content = json.loads(message)
        return json.dumps([content["chat"], content["thread"]])
    except (LookupError, TypeError, ValueError):
        return ""
