"""Health, metrics, the documentation, and a Redis that is away, hangs or is full."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from html.parser import HTMLParser

import httpx
import pytest

from scar.bootstrap import Services
from tests.support.acting_worker import ActingWorker
from tests.support.live_api import ApiProcess, Caller, bearer
from tests.support.redis_process import RedisProcess
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually

Call = Callable[[str | None], Caller]


def test_healthz_needs_no_token(call: Call) -> None:
    answer = call(None)("GET", "/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "alive"})


def test_readyz_is_503_until_every_host_has_a_worker(call: Call, services: Services) -> None:
    ActingWorker(services).alive("default")
    answer = call(None)("GET", "/readyz")
    assert (answer.status_code, answer.json["code"]) == (503, "host_unavailable")
    assert answer.json["detail"] == "No worker listens for 1 of 2 hosts"
    assert "far" not in answer.text, "open to all: no names"
    ActingWorker(services).alive("far")
    answer = call(None)("GET", "/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ready", "hosts": 2})


@pytest.mark.usefixtures("worker")
def test_metrics_contain_counts_but_no_name_of_a_project_host_or_person(call: Call) -> None:
    for kind in ("status", "status", "logs"):
        call("ci")("POST", "/api/v1/jobs", json={"kind": kind, "project": "shop"})
    call("ci")("GET", "/api/v1/projects/shop")
    call("ci")("BREW", "/api/v1/projects/shop")
    answer = call(None)("GET", "/metrics")
    assert answer.content_type.startswith("text/plain; version=")
    for line in (
        'scar_jobs_open{kind="status",state="queued"} 2.0',
        'scar_jobs_open{kind="logs",state="queued"} 1.0',
        "scar_workers 2.0",
        "scar_queue_length 3.0",
        "scar_redis_up 1.0",
    ):
        assert line in answer.text.splitlines()
    assert 'method="GET",route="/api/v1/projects/<name>",status="200"' in answer.text
    assert 'method="other"' in answer.text
    for name in ("shop", "blog", "ci", "far"):
        assert f'"{name}"' not in answer.text


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.ids |= {named["id"]} if named.get("id") else set()  # type: ignore[arg-type]
        self.links |= {str(named[name]) for name in ("href", "src") if name in named}


def test_the_docs_page_loads_nothing_from_elsewhere(call: Call) -> None:
    spec = call(None)("GET", "/openapi.json").json
    assert spec["openapi"] == "3.1.0"
    answer = call(None)("GET", "/docs")
    page = _Page()
    page.feed(answer.text)
    assert all(link.startswith(("/openapi.json", "#")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    assert {"busy", "project_not_found", "method_not_allowed"} <= page.ids
    for path in spec["paths"]:
        assert path in answer.text
    assert "'sha256-" in answer.headers["Content-Security-Policy"]


def test_every_promised_route_is_in_the_openapi_document(call: Call) -> None:
    paths = call(None)("GET", "/openapi.json").json["paths"]
    described = {
        f"{method.upper()} {path}"
        for path in paths
        for method in ("get", "post")
        if method in paths[path]
    }
    jobs, project = "/api/v1/jobs", "/api/v1/projects/{name}"
    assert described == {
        "POST /github/webhook",
        *(f"{method} {jobs}" for method in ("GET", "POST")),
        *(f"POST {jobs}/{{job_id}}/{word}" for word in ("confirm", "cancel")),
        *(f"GET {jobs}/{{job_id}}{word}" for word in ("", "/events")),
        "GET /api/v1/projects",
        f"GET {project}",
        *(f"GET {project}/{word}" for word in ("releases", "status", "logs", "logs/follow")),
        *(f"GET {project}/{word}" for word in ("stats", "diff")),
        "GET /api/v1/alerts",
        "GET /api/v1/hosts",
        "GET /api/v1/audit",
        "POST /api/v1/commands/{word}",
        *(f"GET /{word}" for word in ("healthz", "readyz", "metrics")),
    }


@pytest.mark.parametrize("how", ["gone", "hanging"])
def test_without_redis_requests_are_answered_with_503_within_seconds(
    how: str, server: ApiProcess, redis_process: RedisProcess
) -> None:
    with httpx.Client(
        base_url=server.url, headers=bearer("root"), timeout=60, verify=False
    ) as client:
        assert client.get("/api/v1/jobs").status_code == 200
        if how == "gone":
            redis_process.kill()
        else:
            os.kill(redis_process.process.pid, signal.SIGSTOP)
        try:
            for method, path in (("GET", "/api/v1/jobs"), ("POST", "/api/v1/jobs")):
                began = Stopwatch()
                body = {"kind": "status", "project": "shop"} if method == "POST" else None
                answer = client.request(method, path, json=body)
                assert (answer.status_code, answer.json()["code"]) == (503, "redis_unavailable")
                assert int(answer.headers["Retry-After"]) > 0
                assert began.seconds() < 10
            assert client.get("/healthz").status_code == 200
            # What was read from Redis is kept for two seconds.
            eventually(lambda: "scar_redis_up 0.0" in client.get("/metrics").text)
        finally:
            if how == "gone":
                redis_process.start()
            else:
                os.kill(redis_process.process.pid, signal.SIGCONT)
        eventually(lambda: client.get("/api/v1/jobs").status_code == 200)


@pytest.mark.usefixtures("worker")
def test_a_request_to_a_full_redis_is_507_and_creates_no_job(
    call: Call, services: Services
) -> None:
    assert call(None)("GET", "/readyz").status_code == 200
    services.redis.config_set("maxmemory", "1")
    try:
        for method, path in (("GET", "/readyz"), ("POST", "/api/v1/jobs")):
            body = {"kind": "status", "project": "shop"} if method == "POST" else None
            answer = call("root")(method, path, json=body)
            assert (answer.status_code, answer.json["code"]) == (507, "disk_full")
            assert "maxmemory" in answer.json["detail"]
    finally:
        services.redis.config_set("maxmemory", "0")
    assert call("root")("GET", "/api/v1/jobs").json["items"] == []
