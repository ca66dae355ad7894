"""Which job is shown in which place of which front-end, kept on Redis until the job has ended.

One hash for each front-end: `scar:watches:<front-end>`, from `<job id> <place>` to the state of the
message that shows the job there. A subscription made with its job is written by `submit.lua`, in
the same step as the job.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

from redis import Redis

from scar.redis_client import redis_errors

NEW_MESSAGE = "{}"
"""The state of a message that was not sent yet."""


@dataclass(frozen=True)
class Subscription:
    """A job that a front-end has to show in a place until it has ended.

    `place` and `message` are the front-end's own texts: `message` (JSON) holds what it needs to
    take the message up again after a restart.
    """

    front_end: str
    job_id: str
    place: str
    message: str = NEW_MESSAGE


@dataclass(frozen=True)
class Subscriber:
    """A place of a front-end, in the front-end's own form, that is to show a new job."""

    front_end: str
    place: str


class Subscriptions:
    """The subscriptions of every front-end."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def of(self, front_end: str) -> list[Subscription]:
        """Return the subscriptions of a front-end, whoever made them."""
        with redis_errors():
            rows = cast("dict[str, str]", self._redis.hgetall(_key(front_end)))
        return [_subscription(front_end, field, message) for field, message in rows.items()]

    def put(self, subscription: Subscription) -> None:
        """Write a subscription; one of the same job and place is replaced."""
        field = f"{subscription.job_id} {subscription.place}"
        with redis_errors():
            self._redis.hset(_key(subscription.front_end), field, subscription.message)

    def drop(self, subscription: Subscription) -> None:
        """Delete a subscription, in the form of an earlier version too."""
        field = f"{subscription.job_id} {subscription.place}"
        with redis_errors():
            self._redis.hdel(_key(subscription.front_end), field, subscription.job_id)


def _key(front_end: str) -> str:
    return f"scar:watches:{front_end}"


def _subscription(front_end: str, field: str, message: str) -> Subscription:
    job_id, _, place = field.partition(" ")
    return Subscription(front_end, job_id, place or _place_in(message), message)


def _place_in(message: str) -> str:
    """Return the place in the message of an earlier version, which kept it there and not in the
    field's name; empty where there is none.
    """
    try:
        content = json.loads(message)
        return json.dumps([content["chat"], content["thread"]])
    except (LookupError, TypeError, ValueError):
        return ""
