"""`/metrics` for Prometheus. It needs no token, because it only contains counts: no name of a
project, host or person.
"""

from __future__ import annotations

import json
import time
from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import cast

from flask import Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from scar.alerts.alert_book import AlertBook
from scar.api.context import ApiContext
from scar.api.hosts import live_workers, queue_lengths
from scar.api.resource import Resource
from scar.errors import ScarError
from scar.jobs.counters import BOUNDS, STEPS, read_counters
from scar.jobs.job_state import JobState
from scar.jobs.results import job_kinds
from scar.json_object import MALFORMED
from scar.redis_client import redis_errors

_METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_CACHED_SECONDS = 2.0
_Values = Mapping[tuple[str, ...], float]

resource = Resource("metrics", __name__, description="For Prometheus")


@resource.route("/metrics")
@resource.response(200, content_type="text/plain")
@resource.doc(security=cast("list[dict[str, list[str]]]", []))
def metrics() -> Response:
    """Metrics in Prometheus' text format, at most two seconds old"""
    shown = cast("Metrics", current_app.extensions["scar-metrics"])
    return Response(shown.text(), content_type=CONTENT_TYPE_LATEST)


class Metrics:
    """The counts of this process and of Redis as text."""

    def __init__(self, shared: ApiContext, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._registry = CollectorRegistry()
        self._registry.register(_OnRedis(shared))
        self._registry.register(shared.event_lag.histogram)
        self._text = b""
        self._until = 0.0
        self.requests = Counter(
            "scar_http_requests",
            "Requests answered",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self.seconds = Histogram(
            "scar_http_request_seconds",
            "Seconds from a request to the begin of its answer",
            registry=self._registry,
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 15),
        )

    def text(self) -> bytes:
        """Return the metrics, cached for two seconds, so that many readers cost Redis no more than
        one.
        """
        now = self._monotonic()
        if now >= self._until:
            self._text, self._until = generate_latest(self._registry), now + _CACHED_SECONDS
        return self._text


def measure(app: Flask, shared: ApiContext) -> None:
    """Count the requests of `app`. Numbers from Redis are read when `/metrics` is requested."""
    counted = Metrics(shared)
    app.extensions["scar-metrics"] = counted

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in _METHODS else "other"
        counted.requests.labels(method, route, str(response.status_code)).inc()
        if "began" in g:
            counted.seconds.observe(time.perf_counter() - g.began)
        return response


class _OnRedis(Collector):
    """Collects for `/metrics` this process's open event streams, and the jobs, queues, workers and
    counters on Redis.
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
            counters = read_counters(self._shared.services.redis)
            metrics = [self._jobs(), self._alerts(), *self._hosts(), *_counted(counters)]
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
        states = {state.value for state in JobState}
        named = ((_kind_of(request), state) for request, state in records)
        tally = Tally((kind, state) for kind, state in named if kind and state in states)
        for (kind, state), count in sorted(tally.items()):
            jobs.add_metric([kind, state], count)
        return jobs

    def _alerts(self) -> Metric:
        services = self._shared.services
        alerts = GaugeMetricFamily(
            "scar_alerts",
            "Alerts, open or recovered lately",
            labels=("rule", "state"),
        )
        book = AlertBook(services.redis, services.signatures)
        tally = Tally((a.rule, "open" if a.is_open else "recovered") for a in book.all())
        for (rule, state), count in sorted(tally.items()):
            alerts.add_metric([rule, state], count)
        return alerts

    def _hosts(self) -> list[Metric]:
        services = self._shared.services
        hosts = {project.host for project in services.projects.projects.values()}
        live = live_workers(services.redis, hosts)
        workers = GaugeMetricFamily("scar_workers", "Live workers")
        workers.add_metric([], sum(map(len, live.values())))
        queue = GaugeMetricFamily("scar_queue_length", "Wake-ups that wait for a worker")
        queue.add_metric([], sum(queue_lengths(services.redis, hosts).values()))
        engines = GaugeMetricFamily(
            "scar_engines_unreachable", "Engines that do not answer their worker"
        )
        with redis_errors():
            pipe = services.redis.pipeline(transaction=False)
            for id in (id for ids in live.values() for id in ids):
                pipe.hget(f"scar:worker:{id}", "engine")
            states = pipe.execute()
        engines.add_metric([], sum('"error"' in (state or "") for state in states))
        return [workers, queue, engines]


def _kind_of(request: str | None) -> str | None:
    """Return the kind in a job's request; None if it cannot be parsed or is unknown."""
    try:
        kind = json.loads(request or "")["kind"]
        return str(kind) if kind in job_kinds() else None
    except MALFORMED:
        return None


def _counted(counters: _Values) -> list[Metric]:
    """Return the metrics of the counters on Redis; unknown labels are left out."""
    kinds, states = job_kinds(), [state.value for state in JobState]
    return [
        _counter(
            counters,
            ("scar_jobs_ended", "Jobs by kind and end"),
            {"kind": kinds, "state": states},
        ),
        _times(counters, ("scar_queue_wait_seconds", "Seconds until a worker took a job")),
        _times(counters, ("scar_step_seconds", "Seconds that a step took"), STEPS),
        _times(counters, ("scar_watcher_lag_seconds", "Seconds until the watcher had an event")),
        _counter(
            counters,
            ("scar_messages", "Messages of the front-ends by what became of them"),
            {"front_end": None, "outcome": ("sent", "edited", "refused")},
        ),
        _counter(
            counters,
            ("scar_engine_errors", "Calls that the Engine did not answer, or refused"),
            {"code": ("docker_unavailable", "docker_permission_denied", "internal")},
        ),
    ]


def _counter(
    counters: _Values, about: tuple[str, str], labels: Mapping[str, Collection[str] | None]
) -> Metric:
    """Return one counter as a metric. `labels` are the permitted values of each label, None for
    any.
    """
    metric = CounterMetricFamily(*about, labels=list(labels))
    name = about[0].removeprefix("scar_")
    for (first, *values), value in sorted(counters.items()):
        if first != name or len(values) != len(labels):
            continue
        known = zip(values, labels.values(), strict=True)
        if all(shown is None or word in shown for word, shown in known):
            metric.add_metric(values, value)
    return metric


def _times(
    counters: _Values, about: tuple[str, str], steps: Collection[str] | None = None
) -> Metric:
    """Return one histogram; with `steps`, labelled by step."""
    metric = HistogramMetricFamily(*about, labels=["step"] if steps else [])
    name = about[0].removeprefix("scar_")
    for labels in [[step] for step in steps] if steps else [[]]:
        total = 0.0
        buckets = []
        for bound in (*(f"{bound:g}" for bound in BOUNDS), "+Inf"):
            total += counters.get((name, *labels, "le", bound), 0)
            buckets.append((bound, total))
        if total or not steps:
            metric.add_metric(labels, buckets, counters.get((name, *labels, "sum"), 0))
    return metric
