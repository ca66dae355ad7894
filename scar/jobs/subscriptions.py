"""Subscriptions: which chats show a job, stored on Redis until the message there shows the job's
end.

One hash for each front-end: `scar:watches:<front-end>`, from `<job id> <place>` to the sealed
state of the message that shows the job there. A subscription made with its job is written by
`submit.lua`, in the same step as the job.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import cast

import structlog
from redis import Redis

from scar.jobs.job_id import is_job_id, time_of_id
from scar.jobs.signing import Opened, Signatures
from scar.json_object import member
from scar.redis_client import redis_errors

NEW_MESSAGE = "{}"
"""The state of a message that has not been sent yet."""

_log = structlog.get_logger(__name__)


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
    """The subscriptions of every front-end. Only signed ones are valid, so that nobody else can
    have a front-end show a job in a place.
    """

    def __init__(self, redis: Redis, signatures: Signatures) -> None:
        self._redis = redis
        self._signatures = signatures

    def of(self, front_end: str) -> list[Subscription]:
        """Return the subscriptions of a front-end; unsigned ones are deleted."""
        with redis_errors():
            rows = cast("dict[str, str]", self._redis.hgetall(_key(front_end)))
        known = []
        for field, sealed in rows.items():
            subscription = self._open(front_end, field, sealed)
            if subscription is not None:
                known.append(subscription)
            else:
                _log.warning("subscription without a valid signature", front_end=front_end)
                with redis_errors():
                    self._redis.hdel(_key(front_end), field)
        return known

    def put(self, subscription: Subscription) -> None:
        """Write a subscription; one of the same job and place is replaced."""
        sealed = self._signatures.seal("subscription", asdict(subscription))
        with redis_errors():
            self._redis.hset(_key(subscription.front_end), _field(subscription), sealed)

    def drop(self, subscription: Subscription) -> None:
        """Delete a subscription."""
        with redis_errors():
            self._redis.hdel(_key(subscription.front_end), _field(subscription))

    def _open(self, front_end: str, field: str, sealed: str) -> Subscription | None:
        opened = self._signatures.open("subscription", sealed)
        if opened is None:
            return None
        try:
            subscription = Subscription(**opened.content)
            for name in ("front_end", "job_id", "place", "message"):
                member(opened.content, name, str)
        except (LookupError, TypeError):
            return None
        fits = (subscription.front_end, _field(subscription)) == (front_end, field)
        return subscription if fits and _may_subscribe(opened, subscription) else None


def sealed_subscription(signatures: Signatures, front_end: str, job_id: str, place: str) -> str:
    """Return the value on Redis of a subscription whose message was not sent yet."""
    return signatures.seal("subscription", asdict(Subscription(front_end, job_id, place)))


def forget_unshown(redis: Redis, oldest: str) -> None:
    """Delete the subscriptions to ended jobs that are older than the job id `oldest`, since their
    front-end does not run.
    """
    for key in redis.scan_iter(f"{_key('')}*"):
        for field in cast("list[str]", redis.hkeys(key)):
            id = field.partition(" ")[0]
            if id < oldest and redis.zscore("scar:open", id) is None:
                redis.hdel(key, field)


def _may_subscribe(opened: Opened, subscription: Subscription) -> bool:
    """Return whether the signer may write the subscription: the front-end itself any, other parts
    only one whose message was not sent yet.
    """
    own, retired_at = opened.signer.part == subscription.front_end, opened.signer.retired_at
    id = subscription.job_id
    if retired_at is not None and not (is_job_id(id) and time_of_id(id.upper()) <= retired_at):
        return False  # the key was retired before the job was created
    return own or subscription.message == NEW_MESSAGE


def _key(front_end: str) -> str:
    return f"scar:watches:{front_end}"


def _field(subscription: Subscription) -> str:
    return f"{subscription.job_id} {subscription.place}"
