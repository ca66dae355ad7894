"""`/hosts`: the hosts whose workers send heartbeats to Redis."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import cast

from flask import Response
from redis import Redis

from scar.api.auth import known_everywhere, visible_projects
from scar.api.context import context
from scar.api.resource import Resource, answer
from scar.api.schemas.hosts import HostsPage
from scar.jobs.ledger import QUEUE_PREFIX
from scar.jobs.queue import queue_of
from scar.jobs.timestamp import moment, rfc3339
from scar.json_object import MALFORMED, JsonObject
from scar.redis_client import redis_errors, redis_time_ms

_DAY_MS = 86_400_000
resource = Resource("hosts", __name__, description="Machines with an Engine and a worker")


@resource.route("/hosts")
@resource.response(200, HostsPage)
@resource.alt_response(401, response="UNAUTHORIZED")
def hosts() -> Response:
    """Hosts with live workers, their Engine's version and the length of their queue"""
    redis = context().services.redis
    names = {project.host for project in visible_projects().values()}
    if known_everywhere():
        with redis_errors():
            names |= cast("set[str]", redis.smembers("scar:hosts"))
    items = [host for host in hosts_of(redis, names) if host["workers"]]
    return answer({"items": items, "next": None})


def hosts_of(redis: Redis, names: Iterable[str]) -> list[JsonObject]:
    """Return these hosts as the API has them, by name; one without a worker has an empty list."""
    workers_of = live_workers(redis, names)
    return [_host(redis, name, workers) for name, workers in sorted(workers_of.items())]


def live_workers(redis: Redis, names: Iterable[str]) -> dict[str, list[str]]:
    """Return the ids of the workers whose heartbeat has not expired, by host."""
    hosts = list(names)
    now = redis_time_ms(redis)
    with redis_errors():
        pipe = redis.pipeline(transaction=False)
        for name in hosts:
            # No worker writes a heartbeat that expires in more than a day.
            pipe.zrangebyscore(f"scar:workers:{name}", now, now + _DAY_MS)
        return dict(zip(hosts, pipe.execute() if hosts else [], strict=True))


def queue_lengths(redis: Redis, names: Iterable[str]) -> dict[str, int]:
    """Return how many messages wait in each host's Celery queue."""
    hosts = list(names)
    with redis_errors():
        pipe = redis.pipeline(transaction=False)
        for name in hosts:
            pipe.llen(f"{QUEUE_PREFIX}{queue_of(name)}")
        return dict(zip(hosts, pipe.execute() if hosts else [], strict=True))


def _host(redis: Redis, name: str, workers: list[str]) -> JsonObject:
    with redis_errors():
        pipe = redis.pipeline(transaction=False)
        for id in workers:
            pipe.hgetall(f"scar:worker:{id}")
        records = pipe.execute()
    engines = [engine for record in records if (engine := _engine(record))]
    return {
        "name": name,
        "workers": [_worker(id, record) for id, record in zip(workers, records, strict=True)],
        "engine": engines[0] if engines else {},
        "queue_length": queue_lengths(redis, [name])[name],
    }


def _engine(record: Mapping[str, str]) -> dict[str, str]:
    """Return what a heartbeat says about the Engine; an empty object if it cannot be parsed, since
    heartbeats are not signed.
    """
    try:
        said = dict(json.loads(record["engine"]))
    except MALFORMED:
        return {}
    return {name: str(said[name]) for name in ("version", "error") if name in said}


def _worker(id: str, record: Mapping[str, str]) -> JsonObject:
    try:
        started = rfc3339(moment(int(record["started_at"]) * 1000))
        return {"id": id, "pid": int(record["pid"]), "started_at": started}
    except MALFORMED:
        return {"id": id, "pid": None, "started_at": None}
