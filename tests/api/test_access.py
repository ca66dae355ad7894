"""Authentication, and the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from scar.access import Actor
from scar.bootstrap import Services
from scar.client import TokenSource
from tests.support.keys import front_end_token
from tests.support.live_api import TOKENS, Caller

Call = Callable[[str | None], Caller]
ROOT = TOKENS["root"]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Basic {ROOT}",
        ROOT,
        f"Bearer {ROOT}x",
        f"Bearer  {ROOT}",
        f"Bearer {ROOT}, Bearer {ROOT}",
        f"Bearer {ROOT.upper()}",
        "Bearer \xff\xfe",
        "Bearer service:",
        "Bearer service:nonsense.{}",
        "Bearer " + "x" * 8000,
    ],
)
def test_a_request_without_a_known_token_is_401(
    header: str | None, flask_client: FlaskClient
) -> None:
    headers = {} if header is None else {"Authorization": header}
    for path in ("/api/v1/jobs", "/api/v1/projects/shop", "/api/v1/jobs/x/events", "/api/v1/audit"):
        answer = flask_client.get(path, headers=headers)
        assert (answer.status_code, (answer.json or {})["code"]) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="SCAR"'
        assert (answer.json or {})["hint"]
        assert ROOT not in answer.text


def test_every_route_requires_a_valid_token_and_documents_its_rate_limit(
    flask_client: FlaskClient,
) -> None:
    paths = (flask_client.get("/openapi.json").json or {})["paths"]
    routes = [
        (path.replace("{", "").replace("}", ""), method, operation)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if path.startswith("/api/v1/") and "responses" in operation
    ]
    assert len(routes) > 10
    for path, method, operation in routes:
        assert {"401", "429"} <= set(operation["responses"])
        for headers in ({}, {"Authorization": f"Bearer {ROOT}x"}):
            assert (
                flask_client.open(path, method=method.upper(), headers=headers).status_code == 401
            )


def test_the_authorization_scheme_ignores_case(flask_client: FlaskClient) -> None:
    answer = flask_client.get("/api/v1/jobs", headers={"Authorization": f"bearer {ROOT}"})
    assert answer.status_code == 200


@pytest.mark.usefixtures("worker")
def test_a_service_token_authenticates_an_actor_for_five_minutes(
    flask_client: FlaskClient, services: Services
) -> None:
    console = Actor("console", "sam", "Sam")

    def ask(token: TokenSource) -> int:
        body = {"kind": "restart", "project": "shop"}
        return int(Caller(flask_client, token)("POST", "/api/v1/jobs", json=body).status_code)

    good = front_end_token(services.settings, console)
    assert ask(good) == 202
    (job,) = services.ledger.recent()
    assert job.request.requested_by == console
    for_another = good("POST", "/jobs", {"kind": "deploy", "project": "shop"})
    assert ask(lambda *_: for_another) == 401
    assert ask(front_end_token(services.settings, console, late=301)) == 401
    assert ask(front_end_token(services.settings, console, part="telegram")) == 401
    elsewhere = replace(services.settings, secret_key="another key entirely")
    assert ask(front_end_token(elsewhere, console)) == 401


@pytest.mark.usefixtures("worker")
def test_only_admins_read_the_audit_trail(call: Call) -> None:
    for _ in range(5):
        call("ci")("POST", "/api/v1/jobs", json={"kind": "status", "project": "shop"})
    for name in ("phone", "ci"):
        answer = call(name)("GET", "/api/v1/audit")
        assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    seen, cursor = [], None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = call("root")("GET", "/api/v1/audit", query_string=query).json
        seen += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len({entry["id"] for entry in seen}) == 5
    assert seen == sorted(seen, key=lambda entry: str(entry["id"]), reverse=True)
    assert {entry["actor"] for entry in seen} == {"api:ci"}
    assert {entry["outcome"] for entry in seen} == {"accepted"}


def test_every_answer_has_security_headers(call: Call) -> None:
    for path in ("/api/v1/jobs", "/docs", "/healthz", "/nothing"):
        headers = call("root")("GET", path, headers={"Origin": "https://evil.example"}).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in headers
        assert "Set-Cookie" not in headers
