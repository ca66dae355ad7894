"""`/projects`, what their commands answer, and `/hosts`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scar.api.app import create_app
from scar.bootstrap import Services, bootstrap
from scar.settings import Settings
from tests.support.acting_worker import ActingWorker
from tests.support.job_documents import RELEASE
from tests.support.live_api import TOKENS, Caller
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually

Call = Callable[[str | None], Caller]


@pytest.fixture
def at_work(
    worker: ActingWorker,  # noqa: ARG001
    services: Services,
) -> Iterator[Callable[[Callable[[str], None]], None]]:
    """Works in the background: `at_work(do)` calls `do` with the id of each queued job."""
    stopped = threading.Event()
    threads: list[threading.Thread] = []

    def start(do: Callable[[str], None]) -> None:
        def work() -> None:
            done: set[str] = set()
            while not stopped.is_set():
                for job in list(services.ledger.recent()):
                    if job.id not in done and job.state == "queued":
                        done.add(job.id)
                        do(job.id)
                stopped.wait(0.01)

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield start
    stopped.set()
    for thread in threads:
        thread.join()


def test_projects_are_shown_with_their_defaults(call: Call) -> None:
    page = call("phone")("GET", "/api/v1/projects").json
    assert [item["name"] for item in page["items"]] == ["shop", "blog"]
    assert (page["next"], page["problem"]) == (None, None)
    shop = call("phone")("GET", "/api/v1/projects/shop").json
    assert shop == {**page["items"][0], "problem": None}
    assert shop["compose_project"] == "shop"
    assert shop["primary_container"] == "shop-web"


def test_an_invalid_projects_file_leaves_the_last_valid_configuration_in_use(
    env: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "projects.json"
    file.write_text(Path(env["SCAR_PROJECTS_FILE"]).read_text())
    own = bootstrap(Settings.load({**env, "SCAR_PROJECTS_FILE": str(file)}, dotenv=None), "api")
    caller = Caller(create_app(own).test_client(), lambda *_: TOKENS["root"])
    assert caller("GET", "/api/v1/projects").json["problem"] is None
    file.write_text('{"shop": {')
    page = caller("GET", "/api/v1/projects").json
    assert [item["name"] for item in page["items"]] == ["shop", "blog"]
    assert page["problem"]["code"] == "project_invalid"
    assert "line 1" in page["problem"]["message"]
    assert caller("GET", "/api/v1/projects/shop").json["problem"] == page["problem"]


def test_status_answers_with_the_result_of_its_job(
    call: Call, worker: ActingWorker, at_work: Callable[[Any], None]
) -> None:
    at_work(lambda id: worker.claim(id).succeed({"project": "shop", "containers": []}))
    answer = call("phone")("GET", "/api/v1/projects/shop/status")
    assert answer.status_code == 200
    assert answer.json == {"project": "shop", "containers": []}
    job = call("phone")("GET", answer.headers["Location"]).json
    assert (job["kind"], job["state"], job["requested_by"]["id"]) == (
        "status",
        "succeeded",
        "phone",
    )


def test_arguments_of_logs_reach_the_job(
    call: Call, worker: ActingWorker, at_work: Callable[[Any], None]
) -> None:
    at_work(lambda id: worker.claim(id).succeed({"lines": []}))
    query = {"lines": "7", "container": "shop-db"}
    answer = call("phone")("GET", "/api/v1/projects/shop/logs", query_string=query)
    assert answer.status_code == 200
    job = call("phone")("GET", answer.headers["Location"]).json
    assert job["args"] == {"lines": 7, "container": "shop-db"}


def test_logs_answer_with_the_error_of_their_job(
    call: Call, worker: ActingWorker, at_work: Callable[[Any], None]
) -> None:
    at_work(lambda id: worker.claim(id).fail("container_not_found", "Container 'x' not found", "?"))
    answer = call("phone")("GET", "/api/v1/projects/shop/logs", query_string={"container": "x"})
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert (answer.json["code"], answer.json["detail"]) == (
        "container_not_found",
        "Container 'x' not found",
    )
    assert answer.json["job"]["state"] == "failed"


@pytest.mark.usefixtures("worker")
def test_a_job_longer_than_the_wait_is_202_with_the_job(call: Call) -> None:
    began, unhindered = time.monotonic(), Stopwatch()
    answer = call("phone")("GET", "/api/v1/projects/shop/status")
    assert time.monotonic() - began > 1.9
    assert unhindered.seconds() < 6
    assert (answer.status_code, answer.json["state"]) == (202, "queued")
    assert answer.headers["Location"].endswith(answer.json["id"])


def test_a_host_without_a_worker_is_answered_at_once(call: Call) -> None:
    began = Stopwatch()
    answer = call("phone")("GET", "/api/v1/projects/blog/status")
    assert began.seconds() < 1
    assert (answer.status_code, answer.json["error"]["code"]) == (202, "host_unavailable")


def test_releases_are_returned_as_a_page_with_items_and_next(
    call: Call, worker: ActingWorker, at_work: Callable[[Any], None]
) -> None:
    rows = [{**RELEASE, "id": f"01ARZ3NDEKTSV4RRFFQ69G5FA{n}"} for n in (3, 2, 1)]
    at_work(lambda id: worker.claim(id).succeed({"project": "shop", "releases": rows}))
    path = "/api/v1/projects/shop/releases"
    answer = call("phone")("GET", path)
    assert (answer.status_code, answer.json) == (200, {"items": rows, "next": None})
    answer = call("phone")("GET", f"{path}?limit=2")
    assert answer.json == {"items": rows[:2], "next": rows[1]["id"]}
    answer = call("phone")("GET", f"{path}?limit=2&cursor={rows[1]['id']}")
    assert answer.json == {"items": rows[2:], "next": None}
    assert call("phone")("GET", f"{path}?limit=0").status_code == 422


def test_a_follow_job_is_cancelled_when_its_client_disconnects(
    call: Call, services: Services, worker: ActingWorker
) -> None:
    answer = call("phone")("GET", "/api/v1/projects/shop/logs/follow")
    assert answer.content_type == "text/event-stream; charset=utf-8"
    (job,) = services.ledger.recent()
    assert job.request.kind == "follow"
    claim = worker.claim(job.id)
    claim.lines("a log line")
    lines = answer.iter_encoded()
    eventually(lambda: b"a log line" in next(lines))
    assert services.ledger.renew(job.id, claim.claim.fence) == (True, "")
    answer.close()
    held, cancellation = services.ledger.renew(job.id, claim.claim.fence)
    assert held
    opened = services.signatures.open("cancellation", cancellation)
    assert opened is not None
    assert opened.content["job"] == job.id


def test_a_follow_job_that_has_ended_is_not_cancelled(
    call: Call, services: Services, worker: ActingWorker
) -> None:
    answer = call("phone")("GET", "/api/v1/projects/shop/logs/follow")
    (job,) = services.ledger.recent()
    worker.claim(job.id).succeed({})
    assert b'"succeeded"' in answer.data
    answer.close()
    assert "cancel asked" not in {entry.outcome for entry in services.audit.recent()}


def test_only_hosts_with_live_workers_are_listed(call: Call, services: Services) -> None:
    assert call("phone")("GET", "/api/v1/hosts").json == {"items": [], "next": None}
    ActingWorker(services).alive("default")
    services.redis.zadd("scar:workers:far", {"far-1": int(time.time() * 1000) - 1})
    call("phone")("POST", "/api/v1/jobs", json={"kind": "status", "project": "shop"})
    page = call("phone")("GET", "/api/v1/hosts").json
    assert page == {
        "items": [
            {
                "name": "default",
                "workers": [
                    {"id": "default-1", "pid": 1, "started_at": "2025-10-09T08:53:20.000Z"}
                ],
                "engine": {"version": "28"},
                "queue_length": 1,
            }
        ],
        "next": None,
    }
