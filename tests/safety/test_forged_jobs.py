"""Somebody who can write to Redis, but has no key, cannot make a worker act."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from scar.errors import ScarError
from scar.jobs.record import Job
from tests.chaos.jobs import Fleet
from tests.support.compose_project import run_docker
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    made = Fleet(tmp_path_factory.mktemp("fleet"), projects=1)
    made.begin()
    yield made
    made.end()


@pytest.fixture
def redis(fleet: Fleet) -> Iterator[Any]:
    """The attacker's connection: every Redis command, but no key."""
    client: Any = Redis.from_url(fleet.installation.redis_url, decode_responses=True)
    yield client
    client.close()


def started(fleet: Fleet) -> str:
    return run_docker("inspect", "-f", "{{.State.StartedAt}}", fleet.containers["p0"])


def ask(fleet: Fleet, kind: str, **more: Any) -> Job:
    return Job.from_json(fleet.api.request("POST", "/jobs", json={"kind": kind, **more}))


def ended(fleet: Fleet, id: str) -> Job:
    def look() -> Job | None:
        job = fleet.api.job(id)
        return job if job.state.ended else None

    return eventually(look, "the job has ended") or fleet.api.job(id)


def reopened(redis: Any, id: str, **fields: Any) -> None:
    """Make a record look queued, so that the sweeper notifies a worker of it."""
    redis.hset(f"scar:job:{id}", mapping={"state": "queued", "rung": 0, **fields})
    redis.hdel(f"scar:job:{id}", "claim", "lease")
    redis.zadd("scar:open", {id: 0})


def is_shown_as_tampered_with(fleet: Fleet, redis: Any, id: str) -> None:
    """Wait until a worker has ended the job, and see what a person is shown of it."""
    eventually(lambda: redis.zscore("scar:open", id) is None, "the job has ended")
    with pytest.raises(ScarError, match="tampered with"):
        fleet.api.job(id)


def test_a_question_cannot_be_answered_on_redis(fleet: Fleet, redis: Any) -> None:
    before = started(fleet)
    job = ask(fleet, "restart")
    eventually(lambda: fleet.api.job(job.id).plan, "a plan")
    reopened(redis, job.id, confirmation="AAAA." + json.dumps({"job": job.id, "plan": None}))
    refused = ended(fleet, job.id)
    assert refused.state == "failed"
    assert refused.error is not None
    assert refused.error.code == "forbidden"
    assert started(fleet) == before


def test_a_finished_job_put_back_on_redis_is_not_run_again(fleet: Fleet, redis: Any) -> None:
    job = ask(fleet, "restart", confirm="yes")
    assert ended(fleet, job.id).state == "succeeded"
    after = started(fleet)
    reopened(redis, job.id, attempt=0)
    assert ended(fleet, job.id).state == "succeeded"
    assert started(fleet) == after


def test_a_request_altered_on_redis_is_refused(fleet: Fleet, redis: Any) -> None:
    job = ask(fleet, "logs", args={"lines": 5})
    ended(fleet, job.id)
    request = json.loads(redis.hget(f"scar:job:{job.id}", "request"))
    request.update(kind="restart", asks=False, changes=True, args={})
    before = started(fleet)
    reopened(redis, job.id, request=json.dumps(request))
    is_shown_as_tampered_with(fleet, redis, job.id)
    assert started(fleet) == before


def test_a_signed_request_copied_to_another_job_id_is_refused(fleet: Fleet, redis: Any) -> None:
    job = ask(fleet, "restart", confirm="yes")
    ended(fleet, job.id)
    before = started(fleet)
    copy = job.id[:-4] + "0000"
    redis.copy(f"scar:job:{job.id}", f"scar:job:{copy}")
    reopened(redis, copy, attempt=0)
    is_shown_as_tampered_with(fleet, redis, copy)
    assert started(fleet) == before


def message(task: str, arguments: list[Any], **headers: Any) -> dict[str, Any]:
    """A message of the queue, as Kombu writes it."""
    return {
        "body": base64.b64encode(json.dumps([arguments, {}, {}]).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            **{"lang": "py", "task": task, "id": uuid4().hex, "argsrepr": "", "retries": 0},
            **headers,
        },
        "properties": {
            "correlation_id": uuid4().hex,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "host.default"},
            "delivery_tag": uuid4().hex,
            "body_encoding": "base64",
        },
    }


_RUN = message("scar.run", ["01ABC", "no-signature"])


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[" * 200_000,
        "[]",
        "{}",
        '"text"',
        json.dumps({**_RUN, "content-type": "application/data"}),
        json.dumps({**_RUN, "content-type": "application/x-python-serialize"}),
        json.dumps({**_RUN, "body": "no base64 §"}),
        json.dumps({**_RUN, "properties": {}}),
        json.dumps({**_RUN, "headers": None}),
        json.dumps(message("scar.run", ["01ABC", "x"], timelimit="x")),
        json.dumps(message("scar.run", ["01ABC", "x"], timelimit=["x", "y"])),
        json.dumps(message("scar.run", ["01ABC", "x"], eta="never")),
        json.dumps(message("scar.run", ["01ABC", "x"], expires="never")),
        json.dumps(message("scar.run", ["01ABC", "x"], retries="many")),
    ],
)
def test_a_malformed_message_ends_no_worker(fleet: Fleet, redis: Any, text: str) -> None:
    worker = fleet.installation.process("celery")
    redis.lpush("scar:mq:host.default", text)
    assert ended(fleet, ask(fleet, "status").id).state == "succeeded"
    assert fleet.installation.process("celery") == worker


@pytest.mark.parametrize(
    ("task", "arguments"),
    [
        ("scar.run", ["01ABC", "no-signature"]),
        ("scar.run", []),
        ("scar.run", [{"deep": ["er"]}, None]),
        ("os.system", ["true"]),
    ],
)
def test_an_unsigned_celery_message_starts_no_job(
    fleet: Fleet, redis: Any, task: str, arguments: list[Any]
) -> None:
    redis.lpush("scar:mq:host.default", json.dumps(message(task, arguments)))
    assert ended(fleet, ask(fleet, "status").id).state == "succeeded"


def test_a_redis_key_of_the_wrong_type_does_not_stop_other_jobs(fleet: Fleet, redis: Any) -> None:
    redis.rpush("scar:job:01SPOILT", "not a job")
    redis.zadd("scar:open", {"01SPOILT": 0})
    eventually(lambda: redis.zscore("scar:open", "01SPOILT") is None, "it is left out")
    assert ended(fleet, ask(fleet, "status").id).state == "succeeded"
