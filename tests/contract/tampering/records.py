"""Reads and writes the records of jobs directly on Redis, as an attacker would."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from redis import Redis

from scar.access import Actor
from scar.bootstrap import Services
from scar.jobs.record import Job

Ask = Callable[..., Job]
TAMPERED = "was tampered with"
FORGED = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def anybody(*_: object) -> bool:
    """Return a check by which everybody may lock everything."""
    return True


def key_of(job: Job) -> str:
    return f"scar:job:{job.id}"


def record_of(redis: Redis, job: Job) -> dict[str, str]:
    return cast("dict[str, str]", redis.hgetall(key_of(job)))


def put_back(redis: Redis, job: Job, record: dict[str, str]) -> None:
    """Restore an earlier version of a job's record."""
    redis.delete(key_of(job))
    redis.hset(key_of(job), mapping=cast("dict[Any, Any]", record))
    redis.persist(key_of(job))
    redis.zadd("scar:open", {job.id: 0})


def forge(services: Services, job: Job, requester: Actor) -> None:
    """Write a forged job, as an attacker with the key of the Telegram bot could."""
    request = {**job.request.to_json(), "id": FORGED, "requested_by": requester.to_json()}
    text = json.dumps(request)
    signature = services.signatures.sign("request", text)
    record = {**record_of(services.redis, job), "request": text, "signature": signature}
    services.redis.hset(f"scar:job:{FORGED}", mapping=cast("dict[Any, Any]", record))
