"""`/jobs`: submitting, idempotency, confirming, cancelling, listing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from scar.access import Actor
from scar.bootstrap import Services
from scar.jobs.record import JobState
from tests.support.acting_worker import ActingWorker
from tests.support.live_api import Caller

Call = Callable[[str | None], Caller]
JOBS = "/api/v1/jobs"


def _ask(caller: Caller, kind: str = "status", **more: Any) -> dict[str, Any]:
    answer = caller("POST", JOBS, json={"kind": kind, "project": "shop", **more})
    assert answer.status_code == 202, answer.text
    return cast("dict[str, Any]", answer.json)


@pytest.mark.usefixtures("worker")
def test_the_location_header_is_the_url_of_the_new_job(call: Call) -> None:
    answer = call("ci")("POST", JOBS, json={"kind": "logs", "args": {"lines": 20}})
    assert answer.status_code == 202
    job = answer.json
    assert answer.headers["Location"] == f"{JOBS}/{job['id']}"
    assert (job["kind"], job["project"], job["host"]) == ("logs", "shop", "default")
    assert (job["state"], job["args"], job["error"]) == ("queued", {"lines": 20}, None)
    assert job["requested_by"] == {
        "frontend": "api",
        "id": "ci",
        "name": "ci",
        "role": "operator",
    }
    assert call("phone")("GET", answer.headers["Location"]).json == job


def test_a_job_for_a_host_without_a_worker_says_so_at_once(call: Call) -> None:
    job = _ask(call("ci"), project="blog")
    assert job["state"] == "queued"
    assert job["error"]["code"] == "host_unavailable"


@pytest.mark.usefixtures("worker")
def test_the_same_idempotency_key_gives_the_same_job(call: Call) -> None:
    key = {"Idempotency-Key": "one"}
    made = [
        call("ci")("POST", JOBS, json={"kind": "status", "project": "shop"}, headers=key).json["id"]
        for _ in range(3)
    ]
    assert len(set(made)) == 1
    other = call("root")("POST", JOBS, json={"kind": "status", "project": "shop"}, headers=key)
    assert other.json["id"] not in made, "a key is the caller's own"
    differs = call("ci")("POST", JOBS, json={"kind": "logs", "project": "shop"}, headers=key)
    assert (differs.status_code, differs.json["code"]) == (409, "conflict")


def test_a_deploy_awaits_its_confirmation(call: Call, worker: ActingWorker) -> None:
    job = _ask(call("ci"), "restart")
    assert job["state"] == "awaiting_confirmation"
    worker.claim(job["id"]).plan({"hash": "abc"})
    planned = call("ci")("GET", f"{JOBS}/{job['id']}").json
    assert planned["plan"] == {"hash": "abc"}
    path = f"{JOBS}/{job['id']}/confirm"
    changed = call("ci")("POST", path, json={"answer": "yes", "shown": "older"})
    assert (changed.status_code, changed.json["code"]) == (409, "conflict")
    answer = call("ci")("POST", path, json={"answer": " Yes "})
    assert (answer.status_code, answer.json["state"]) == (202, "queued")
    twice = call("ci")("POST", path, json={"answer": "yes"})
    assert (twice.status_code, twice.json["code"]) == (409, "conflict")


@pytest.mark.usefixtures("worker")
def test_a_request_with_confirm_yes_is_queued_at_once(call: Call) -> None:
    assert _ask(call("ci"), "restart", confirm="yes")["state"] == "queued"
    busy = call("root")("POST", JOBS, json={"kind": "deploy", "project": "shop", "confirm": "yes"})
    assert (busy.status_code, busy.json["code"]) == (409, "busy")
    assert "ci (api)" in busy.json["detail"]


@pytest.mark.usefixtures("worker")
def test_answering_no_cancels_the_job(call: Call) -> None:
    id = _ask(call("ci"), "restart")["id"]
    answer = call("ci")("POST", f"{JOBS}/{id}/confirm", json={"answer": "no"})
    assert (answer.status_code, answer.json["state"]) == (202, "cancelled")


@pytest.mark.usefixtures("worker")
def test_a_queued_job_is_cancelled_and_an_ended_one_is_not(call: Call) -> None:
    id = _ask(call("ci"))["id"]
    answer = call("ci")("POST", f"{JOBS}/{id}/cancel")
    assert (answer.status_code, answer.json["state"]) == (202, "cancelled")
    assert answer.headers["Location"] == f"{JOBS}/{id}"
    again = call("ci")("POST", f"{JOBS}/{id}/cancel")
    assert (again.status_code, again.json["code"]) == (409, "conflict")


@pytest.mark.usefixtures("worker")
def test_pages_show_every_job_once_newest_first(call: Call) -> None:
    ids = [_ask(call("ci"))["id"] for _ in range(7)]
    assert ids == sorted(ids)
    seen, cursor = [], None
    for _ in range(4):
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = call("phone")("GET", JOBS, query_string=query).json
        seen += [job["id"] for job in page["items"]]
        cursor = page["next"]
        _ask(call("ci"))  # what comes meanwhile does not shift the pages
    assert cursor is None
    assert seen == ids[::-1]


def test_jobs_are_filtered_by_project_kind_and_state(call: Call, worker: ActingWorker) -> None:
    status, logs = _ask(call("ci"))["id"], _ask(call("ci"), "logs")["id"]
    blog = _ask(call("ci"), project="blog")["id"]
    worker.claim(status).succeed({"a": 1})

    def ids(**query: str) -> list[str]:
        page = call("root")("GET", JOBS, query_string=query).json
        assert page["next"] is None
        return [job["id"] for job in page["items"]]

    assert ids() == [blog, logs, status]
    assert ids(project="shop") == [logs, status]
    assert ids(kind="logs") == [logs]
    assert ids(state="succeeded") == [status]
    assert ids(project="blog", state="succeeded") == []


@pytest.mark.usefixtures("worker")
def test_a_filter_reaches_older_jobs_on_further_pages(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scar.api.jobs._SCAN_LIMIT", 3)
    wanted = _ask(call("ci"), "logs")["id"]
    for _ in range(4):
        _ask(call("ci"))
    page = call("root")("GET", JOBS, query_string={"kind": "logs"}).json
    assert page["items"] == []
    rest = call("root")("GET", JOBS, query_string={"kind": "logs", "cursor": page["next"]}).json
    assert [job["id"] for job in rest["items"]] == [wanted]
    assert rest["next"] is None


def test_a_failed_job_shows_its_error(call: Call, worker: ActingWorker) -> None:
    id = _ask(call("ci"))["id"]
    worker.claim(id).fail("docker_unavailable", "No Engine", "Start it.")
    job = call("ci")("GET", f"{JOBS}/{id}").json
    assert job["state"] == JobState.FAILED
    assert job["error"] == {
        "code": "docker_unavailable",
        "message": "No Engine",
        "hint": "Start it.",
    }
    assert job["finished_at"] >= job["started_at"] >= job["created_at"]


@pytest.mark.usefixtures("worker")
def test_a_viewer_may_not_change_confirm_or_cancel(call: Call, services: Services) -> None:
    refused = call("phone")("POST", JOBS, json={"kind": "restart", "project": "shop"})
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert call("phone")("GET", JOBS).json["items"] == []
    id = _ask(call("ci"), "restart")["id"]
    for path, body in (("confirm", {"answer": "yes"}), ("cancel", None)):
        refused = call("phone")("POST", f"{JOBS}/{id}/{path}", json=body)
        assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert call("ci")("GET", f"{JOBS}/{id}").json["state"] == "awaiting_confirmation"
    trail = [(e.actor, e.outcome) for e in services.audit.recent()]
    assert trail == [
        ("api:phone", "refused: forbidden"),
        ("api:phone", "refused: forbidden"),
        ("api:ci", "accepted"),
        ("api:phone", "refused: forbidden"),
    ]


@pytest.mark.usefixtures("worker")
def test_a_role_on_one_project_does_not_show_other_projects(
    call: Call, as_actor: Callable[[Actor], Caller], services: Services
) -> None:
    guest = as_actor(Actor("telegram", "77", "Guest"))
    hidden, seen = _ask(call("ci"))["id"], _ask(call("ci"), project="blog")["id"]
    assert [job["id"] for job in guest("GET", JOBS).json["items"]] == [seen]
    assert guest("GET", f"{JOBS}/{seen}").status_code == 200
    unknown = "01KA" + "0" * 22
    for path in ("", "/events"):
        answers = [guest("GET", f"{JOBS}/{id}{path}") for id in (hidden, unknown)]
        assert {a.status_code for a in answers} == {404}
        texts = [a.text.replace(hidden, "ID").replace(unknown, "ID") for a in answers]
        assert texts[0] == texts[1]
    for path in ("cancel", "confirm"):
        answer = guest("POST", f"{JOBS}/{hidden}/{path}", json={"answer": "yes"})
        assert answer.status_code == 404
    for name in ("shop", "nothing"):
        for answer in (
            guest("GET", JOBS, query_string={"project": name}),
            guest("POST", JOBS, json={"kind": "status", "project": name}),
            guest("GET", f"/api/v1/projects/{name}"),
            guest("GET", f"/api/v1/projects/{name}/status"),
        ):
            assert (answer.status_code, answer.json["code"]) == (404, "project_not_found")
            assert "shop" not in answer.text.replace(f"'{name}'", "")
    outcomes = {e.outcome for e in services.audit.recent() if e.actor == "telegram:77"}
    assert "refused: project_not_found" in outcomes


@pytest.mark.usefixtures("worker")
def test_a_person_without_a_role_cannot_create_a_job(
    as_actor: Callable[[Actor], Caller], services: Services
) -> None:
    stranger = as_actor(Actor("telegram", "999", "Nobody"))
    for answer in (
        stranger("POST", JOBS, json={"kind": "status", "project": "shop"}),
        stranger("GET", JOBS),
        stranger("GET", "/api/v1/projects"),
    ):
        assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")
        assert "telegram:999" in answer.json["detail"]
        assert "shop" not in answer.text
    assert list(services.ledger.recent()) == []
    assert [e.outcome for e in services.audit.recent()] == ["refused: unauthorized"]
