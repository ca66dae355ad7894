"""`/healthz`, `/readyz` and `/metrics`, for monitoring.

They need no token, because they only contain counts: no name of a project, host or person.
"""

from __future__ import annotations

import json
import time
from collections import Counter as Tally
from collections.abc import Iterator
from typing import cast

from flask import Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from scar.api.context import ApiContext, context
from scar.api.hosts import live_workers, queue_lengths
from scar.api.resource import Resource, answer
from scar.api.schemas.health import AliveSchema, ReadySchema
from scar.errors import ScarError
from scar.redis_client import redis_errors

_METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_OPEN: list[dict[str, list[str]]] = []

resource = Resource("health", __name__, description="For those who watch over SCAR")


@resource.route("/healthz")
@resource.response(200, AliveSchema)
@resource.doc(security=_OPEN)
def healthz() -> Response:
    """Alive"""
    return answer({"status": "alive"})


@resource.route("/readyz")
@resource.response(200, ReadySchema)
@resource.alt_response(503, response="SERVICE_UNAVAILABLE")
@resource.doc(security=_OPEN)
def readyz() -> Response:
    """Whether Redis accepts writes and every host of the projects file has a worker"""
    services = context().services
    with redis_errors():
        services.redis.set("scar:ready", "1", ex=60)
    hosts = {project.host for project in services.projects.projects.values()}
    missing = [name for name, ids in live_workers(services.redis, hosts).items() if not ids]
    if missing:
        raise ScarError(
            "host_unavailable",
            f"No worker listens for {len(missing)} of {len(hosts)} hosts",
            "Start one there with `scar worker`; GET /api/v1/hosts names those that have one.",
        )
    return answer({"status": "ready", "hosts": len(hosts)})


@resource.route("/metrics")
@resource.response(200, content_type="text/plain")
@resource.doc(security=_OPEN)
def metrics() -> Response:
    """Metrics in Prometheus' text format"""
    registry = cast(CollectorRegistry, current_app.extensions["scar-metrics"])
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def measure(app: Flask, shared: ApiContext) -> None:
    """Count the requests of `app`. Numbers from Redis are read each time `/metrics` is
    requested.
    """
    registry = CollectorRegistry()
    registry.register(_OnRedis(shared))
    app.extensions["scar-metrics"] = registry
    requests = Counter(
        "scar_http_requests", "Requests answered", ("method", "route", "status"), registry=registry
    )
    seconds = Histogram(
        "scar_http_request_seconds",
        "Seconds from a request to the begin of its answer",
        registry=registry,
        buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 15),
    )

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in _METHODS else "other"
        requests.labels(method, route, str(response.status_code)).inc()
        if "began" in g:
            seconds.observe(time.perf_counter() - g.began)
        return response


class _OnRedis(Collector):
    """Collects for `/metrics` this process's open event streams and the jobs, queues and workers
    on Redis.
    """

    def __init__(self, shared: ApiContext) -> None:
        self._shared = shared

    def describe(self) -> list[Metric]:
        return []  # prometheus_client calls this at registration, which must not query Redis

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("scar_redis_up", "Whether Redis answers")
        streams = GaugeMetricFamily("scar_event_streams", "Open event streams")
        streams.add_metric([], len(self._shared.open_streams))
        yield streams
        try:
            metrics = [self._jobs(), *self._hosts()]
        except ScarError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from metrics

    def _jobs(self) -> Metric:
        redis = self._shared.services.redis
        jobs = GaugeMetricFamily(
            "scar_jobs_open", "Jobs that have not ended", labels=("kind", "state")
        )
        with redis_errors():
            ids = cast("list[str]", redis.zrange("scar:open", 0, 999))
            pipe = redis.pipeline(transaction=False)
            for id in ids:
                pipe.hmget(f"scar:job:{id}", "request", "state")
            records = pipe.execute() if ids else []
        tally = Tally((json.loads(r)["kind"], state) for r, state in records if r and state)
        for (kind, state), count in sorted(tally.items()):
            jobs.add_metric([kind, state], count)
        return jobs

    def _hosts(self) -> list[Metric]:
        services = self._shared.services
        hosts = {project.host for project in services.projects.projects.values()}
        workers = GaugeMetricFamily("scar_workers", "Live workers")
        workers.add_metric([], sum(map(len, live_workers(services.redis, hosts).values())))
        queue = GaugeMetricFamily("scar_queue_length", "Bells that wait for a worker")
        queue.add_metric([], sum(queue_lengths(services.redis, hosts).values()))
        return [workers, queue]
