"""Bad requests get a problem document that says what is wrong, and make no job."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from flask import Flask

from scar.api import errors
from scar.bootstrap import Services
from tests.support.acting_worker import ActingWorker
from tests.support.live_api import TOKENS, ApiProcess, Caller

Call = Callable[[str | None], Caller]
JOBS = "/api/v1/jobs"
JSON = "application/json"


def _is_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    body: dict[str, Any] = answer.json
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"/docs#{code}"
    assert body["detail"]
    assert body["hint"]
    assert "Traceback" not in answer.text
    return body


@pytest.fixture
def caller(call: Call, worker: ActingWorker, services: Services) -> Iterator[Caller]:  # noqa: ARG001
    """Calls as an operator; no job was made when the test ends."""
    yield call("ci")
    assert list(services.ledger.recent()) == []


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", JSON, 422, "invalid_request"),
        (b"null", JSON, 422, "invalid_request"),
        (b"{", JSON, 400, "invalid_request"),
        (b"not json", JSON, 400, "invalid_request"),
        (b"\xff\xfe{\x00}\x00", JSON, 400, "invalid_request"),
        (b'\xef\xbb\xbf{"kind": "status"}', JSON, 400, "invalid_request"),
        (b'{"kind": "status"} {}', JSON, 400, "invalid_request"),
        (b'{"kind": "status", "kind": "deploy"}', JSON, 400, "invalid_request"),
        (b'{"kind": "logs", "args": {"lines": NaN}}', JSON, 400, "invalid_request"),
        (b'{"kind": "logs", "args": {"lines": -Infinity}}', JSON, 400, "invalid_request"),
        (b'{"kind": "logs", "args": {"lines": 1e400}}', JSON, 400, "invalid_request"),
        (
            b'{"kind": "logs", "args": {"lines": ' + b"9" * 5000 + b"}}",
            JSON,
            400,
            "invalid_request",
        ),
        (b'{"kind": "status", "project": "\\ud800"}', JSON, 400, "invalid_request"),
        (b"[" * 100_000, JSON, 400, "invalid_request"),
        (b'{"a":' * 50_000, JSON, 400, "invalid_request"),
        (b'"' + b"x" * (1 << 20) + b'"', JSON, 413, "too_large"),
        (b'{"kind": "status"}', "text/plain", 415, "unsupported_media_type"),
        (b"kind=status", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"kind": "status"}', None, 415, "unsupported_media_type"),
    ],
)
def test_a_body_that_is_not_strict_json_is_refused(
    body: bytes, kind: str | None, status: int, code: str, caller: Caller
) -> None:
    _is_problem(caller("POST", JOBS, data=body, content_type=kind), status, code)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([], ""),
        ("status", ""),
        (7, ""),
        ({}, "kind"),
        ({"kind": None}, "kind"),
        ({"kind": 7}, "kind"),
        ({"kind": ["status"]}, "kind"),
        ({"kind": ""}, "kind"),
        ({"kind": "statsu"}, "statsu"),
        ({"kind": "x" * 5000}, "kind"),
        ({"kind": "status", "project": 7}, "project"),
        ({"kind": "status", "project": ""}, "project"),
        ({"kind": "status", "projcet": "shop"}, "projcet"),
        ({"kind": "status", "args": []}, "args"),
        ({"kind": "status", "args": None}, "args"),
        ({"kind": "status", "args": {"deep": 1}}, "deep"),
        ({"kind": "status", "confirm": "no"}, "confirm"),
        ({"kind": "status", "confirm": True}, "confirm"),
        *(
            ({"kind": "logs", "args": {"lines": n}}, "ines")
            for n in (0, -5, 10**9, 10**20, "5", 1.5)
        ),
        ({"kind": "logs", "args": {"lines": True}}, "lines"),
        ({"kind": "logs", "args": {"lines": None}}, "lines"),
        ({"kind": "logs", "args": {"container": 5}}, "container"),
    ],
)
def test_json_that_is_no_valid_request_is_422(body: Any, named: str, caller: Caller) -> None:
    problem = _is_problem(caller("POST", JOBS, json=body), 422, "invalid_request")
    assert named in problem["detail"]


@pytest.mark.parametrize(
    "name",
    [
        "foo",
        "../../etc",
        "foo/bar",
        "-h",
        "emoji 🚀",
        "a\n/docker_deploy shop",
        "a\0b",
        "ｓhop",
        "SHOP",
    ],
)
def test_an_unknown_project_is_404_with_the_known_ones(name: str, caller: Caller) -> None:
    answer = caller("POST", JOBS, json={"kind": "status", "project": name})
    problem = _is_problem(answer, 404, "project_not_found")
    assert problem["detail"] == f"Project '{name}' not found in configuration"
    assert "shop" in problem["hint"]
    answer = caller("GET", JOBS, query_string={"project": name})
    _is_problem(answer, 404, "project_not_found")


@pytest.mark.parametrize(
    "query",
    [
        {"limit": value}
        for value in ("0", "-1", "201", "1e3", "ten", "", "５", "1_0", " 5", "9" * 30)
    ]
    + [{"state": "dead"}, {"cursor": "x"}, {"cursor": "("}, {"kind": ""}, {"limt": "5"}],
)
def test_a_bad_query_of_a_list_is_422(query: dict[str, str], caller: Caller) -> None:
    problem = _is_problem(caller("GET", JOBS, query_string=query), 422, "invalid_request")
    assert next(iter(query)) in problem["detail"]


@pytest.mark.parametrize(
    "id",
    ["x", "..", "0", "1" * 25, "1" * 27, "8" + "0" * 25, "01KA%0A", "*", "01KA:events", "é" * 26],
)
def test_an_unknown_job_id_is_404(id: str, caller: Caller) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/events"),
        ("POST", "/cancel"),
        ("POST", "/confirm"),
    ):
        body = {"answer": "yes"} if path == "/confirm" else None
        answer = caller(method, f"{JOBS}/{id}{path}", json=body)
        if answer.status_code != 404 or answer.json["code"] != "not_found":
            _is_problem(answer, 404, "job_not_found")


def test_a_redis_key_is_not_taken_for_a_job(caller: Caller, call: Call, services: Services) -> None:
    made = call("ci")("POST", JOBS, json={"kind": "status", "project": "shop"}).json["id"]
    _is_problem(caller("GET", f"{JOBS}/{made}:events"), 404, "job_not_found")
    _is_problem(caller("GET", f"{JOBS}/{made.lower()}"), 404, "job_not_found")
    services.redis.flushdb()


@pytest.mark.parametrize("key", ["", "x" * 256, "ümlaut", "tab\there"])
def test_a_bad_idempotency_key_is_422(key: str, caller: Caller) -> None:
    answer = caller(
        "POST",
        JOBS,
        json={"kind": "status", "project": "shop"},
        headers={"Idempotency-Key": key},
    )
    _is_problem(answer, 422, "invalid_request")


@pytest.mark.usefixtures("worker")
def test_a_bad_event_id_or_wait_is_422(call: Call) -> None:
    root = call("root")
    path = (
        f"{JOBS}/{root('POST', JOBS, json={'kind': 'status', 'project': 'shop'}).json['id']}/events"
    )
    for last in ("x", "-1", "1.5", "５", "9" * 30, "1-0"):
        answer = root("GET", path, headers={"Last-Event-ID": last})
        _is_problem(answer, 422, "invalid_request")
    for query in ({"wait": "-1"}, {"wait": "nan"}, {"wait": "61"}, {"after": "-1"}, {"after": "x"}):
        _is_problem(root("GET", path, query_string=query), 422, "invalid_request")


@pytest.mark.parametrize("body", [{}, {"answer": 1}, {"answer": None}, {"answer": "yes", "x": 1}])
@pytest.mark.usefixtures("worker")
def test_a_bad_answer_leaves_the_question_open(body: Any, call: Call) -> None:
    job = call("ci")("POST", JOBS, json={"kind": "restart", "project": "shop"}).json
    answer = call("ci")("POST", f"{JOBS}/{job['id']}/confirm", json=body)
    _is_problem(answer, 422, "invalid_request")
    assert call("ci")("GET", f"{JOBS}/{job['id']}").json["state"] == "awaiting_confirmation"


@pytest.mark.parametrize("query", ["lines=0", "lines=5001", "lines=x", "container=", "line=5"])
def test_a_bad_query_of_logs_is_422(query: str, caller: Caller) -> None:
    _is_problem(caller("GET", f"/api/v1/projects/shop/logs?{query}"), 422, "invalid_request")


def test_an_unknown_route_is_404_and_a_wrong_method_405(caller: Caller) -> None:
    for path in ("/nope", "/api/v1", "/api/v1/jobs/a/b/c", "/api/v2/jobs", "/api/v1//jobs"):
        _is_problem(caller("GET", path), 404, "not_found")
    answer = caller("DELETE", JOBS)
    _is_problem(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    assert caller("OPTIONS", JOBS).status_code == 200


def test_an_unexpected_error_is_500_without_its_details() -> None:
    app = Flask("broken")
    errors.register(app)

    @app.get("/")
    def broken() -> str:
        raise KeyError("a secret")

    answer = app.test_client().get("/")
    problem = _is_problem(answer, 500, "internal")
    assert "a secret" not in answer.text
    assert problem["detail"] == "KeyError in the API"


@pytest.mark.usefixtures("worker")
def test_a_corrupted_record_on_redis_is_a_problem_document(call: Call, services: Services) -> None:
    made = call("ci")("POST", JOBS, json={"kind": "status", "project": "shop"}).json["id"]
    services.redis.delete(f"scar:job:{made}")
    services.redis.rpush(f"scar:job:{made}", "not a hash")
    answer = call("ci")("GET", f"{JOBS}/{made}")
    assert answer.content_type == "application/problem+json"
    assert answer.status_code in (500, 503)


def _raw(server: ApiProcess, request: bytes) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)


def test_malformed_http_is_refused_by_the_server(server: ApiProcess) -> None:
    auth = f"Host: evil.example\r\nAuthorization: Bearer {TOKENS['root']}\r\n".encode()
    assert b" 200 " in _raw(server, b"GET /api/v1/jobs HTTP/1.1\r\n" + auth + b"\r\n")
    assert b" 400 " in _raw(server, b"\x16\x03\x01\x02\r\n\r\n")[:40]
    large = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 10_000 + b"\r\n\r\n"
    assert b" 431 " in _raw(server, large)[:40]
    answer = httpx.post(
        f"{server.url}{JOBS}",
        content=b"x" * (2 << 20),
        headers={"Authorization": f"Bearer {TOKENS['root']}", "Content-Type": JSON},
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
