"""Malformed records stop neither the sweep nor other jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from redis import Redis

from scar.bootstrap import Services
from scar.jobs.record import Job, JobState
from tests.contract.conftest import RecordedQueue
from tests.contract.tampering.records import Ask, key_of
from tests.support.acting_worker import ActingWorker
from workers.reconciler import Reconciler
from workers.state.job_log import JobLog
from workers.state.journal import Journal


@pytest.fixture
def interrupted(ask: Ask, worker: ActingWorker, services: Services) -> Job:
    """A deploy whose worker was killed: it has begun in the job log and in the journal."""
    job = ask("deploy", confirmed=True)
    state = services.settings.state_dir
    JobLog(state / "done").begin(job.id, worker.claim(job.id).claim.signed)
    folder = state / "projects" / "shop"
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    Journal(folder).begin(job.id)
    return job


@pytest.mark.parametrize(
    "record", [{"state": "awaiting_confirmation"}, {"state": "queued", "rung": "x"}, {"state": "?"}]
)
def test_a_malformed_record_does_not_stop_the_sweep_of_other_jobs(
    ask: Ask, worker: ActingWorker, services: Services, redis: Redis, record: dict[str, str]
) -> None:
    redis.hset("scar:job:01SPOILT", mapping=cast("dict[Any, Any]", record))
    redis.zadd("scar:open", {"01SPOILT": 0})
    job = ask("status")
    redis.hset(key_of(job), "expires", "1000")
    worker.sweep()
    assert services.job_service.get(job.id).state is JobState.EXPIRED


def test_an_interrupted_deployment_that_redis_shows_as_queued_is_recovered_by_its_host(
    interrupted: Job,
    redis: Redis,
    queue: RecordedQueue,
    reconciler: Reconciler,
    now: list[float],
) -> None:
    redis.hset(key_of(interrupted), "state", "queued")
    redis.zrem("scar:open", interrupted.id)
    reconciler.look_for_abandoned()
    assert redis.zscore("scar:open", interrupted.id) is None, "a worker may still come"
    now[0] = 41.0
    reconciler.look_for_abandoned()
    assert redis.zscore("scar:open", interrupted.id) is not None
    assert queue.wakeups[-1] == ("default", interrupted.id)


@pytest.mark.parametrize("holds", ["x", '"text"', '{"a": 1}', "[[]]", "[1, null]"])
def test_a_record_with_malformed_resources_does_not_stop_the_sweep_of_other_jobs(
    ask: Ask, worker: ActingWorker, services: Services, redis: Redis, holds: str
) -> None:
    spoilt, other = ask("restart"), ask("deploy")
    for job in (spoilt, other):
        worker.plan(job.id)
        redis.hset(key_of(job), "confirm_until", "1000")
    redis.hset(key_of(spoilt), "holds", holds)
    worker.sweep()
    assert services.job_service.get(other.id).state is JobState.EXPIRED


def test_a_deployment_whose_recovery_kills_workers_is_retried_three_times_only(
    interrupted: Job,
    redis: Redis,
    queue: RecordedQueue,
    reconciler: Reconciler,
    now: list[float],
) -> None:
    for _ in range(10):
        redis.hset(key_of(interrupted), mapping={"state": "failed"})
        reconciler.look_for_abandoned()
        now[0] += 41.0
    assert [wakeup for wakeup in queue.wakeups if wakeup[1] == interrupted.id][1:] == [
        ("default", interrupted.id)
    ] * 3


def test_the_end_that_a_host_has_signed_replaces_a_false_one_from_the_sweep(
    ask: Ask,
    worker: ActingWorker,
    services: Services,
    redis: Redis,
    reconciler: Reconciler,
    wake: Callable[[str], None],
) -> None:
    job = ask("restart", confirmed=True)
    wake(job.id)
    ended = services.job_service.get(job.id)
    assert ended.state is JobState.FAILED, "there is no Engine here"
    reconciler.compare_ends()
    assert services.job_service.get(job.id) == ended
    redis.hdel(key_of(job), "end")
    redis.hset(key_of(job), mapping={"state": "awaiting_confirmation", "confirm_until": "1"})
    redis.zadd("scar:open", {job.id: 0})
    worker.sweep()
    assert services.job_service.get(job.id).state is JobState.EXPIRED
    reconciler.compare_ends()
    wake(job.id)
    again = services.job_service.get(job.id)
    assert (again.state, again.error) == (ended.state, ended.error)
