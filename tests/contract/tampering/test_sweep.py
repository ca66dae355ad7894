"""Records that somebody has spoilt end neither the sweep nor the job of another."""

from __future__ import annotations

from typing import Any, cast

import pytest
from redis import Redis

from scar.bootstrap import Services
from scar.jobs.record import JobState
from scar.jobs.signing import Signatures
from tests.contract.conftest import RecordedQueue
from tests.contract.tampering.records import (
    Ask,
    key_of,
)
from tests.support.acting_worker import ActingWorker
from workers.reconciler import Reconciler
from workers.state.job_log import JobLog
from workers.state.journal import Journal


@pytest.mark.parametrize(
    "record", [{"state": "awaiting_confirmation"}, {"state": "queued", "rung": "x"}, {"state": "?"}]
)
def test_a_spoilt_record_does_not_stop_the_sweep_of_the_others(
    ask: Ask, worker: ActingWorker, services: Services, redis: Redis, record: dict[str, str]
) -> None:
    redis.hset("scar:job:01SPOILT", mapping=cast("dict[Any, Any]", record))
    redis.zadd("scar:open", {"01SPOILT": 0})
    job = ask("status")
    redis.hset(key_of(job), "expires", "1000")
    worker.sweep()
    assert services.job_service.get(job.id).state is JobState.EXPIRED


def test_a_deployment_that_is_said_to_wait_is_put_back_by_its_host(
    ask: Ask, worker: ActingWorker, services: Services, redis: Redis, queue: RecordedQueue
) -> None:
    job = ask("deploy", confirmed=True)
    state = services.settings.state_dir
    JobLog(state / "done").begin(job.id, worker.claim(job.id).claim.signed)
    folder = state / "projects" / "shop"
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    Journal(folder).begin(job.id)
    redis.hset(key_of(job), "state", "queued")
    redis.zrem("scar:open", job.id)
    now = [0.0]
    signatures = Signatures.of(services.settings, "worker:default")
    reconciler = Reconciler(redis, signatures, cast("Any", queue), state, monotonic=lambda: now[0])
    reconciler.look_for_abandoned()
    assert redis.zscore("scar:open", job.id) is None, "a worker may still come"
    now[0] = 41.0
    reconciler.look_for_abandoned()
    assert redis.zscore("scar:open", job.id) is not None
    assert queue.wakeups[-1] == ("default", job.id)


@pytest.mark.parametrize("holds", ["x", '"text"', '{"a": 1}', "[[]]", "[1, null]"])
def test_a_record_with_spoilt_resources_does_not_keep_others_from_ending(
    ask: Ask, worker: ActingWorker, services: Services, redis: Redis, holds: str
) -> None:
    spoilt, other = ask("restart"), ask("deploy")
    for job in (spoilt, other):
        worker.plan(job.id)
        redis.hset(key_of(job), "confirm_until", "1000")
    redis.hset(key_of(spoilt), "holds", holds)
    worker.sweep()
    assert services.job_service.get(other.id).state is JobState.EXPIRED


def test_a_deployment_that_ends_its_workers_is_not_put_back_for_ever(
    ask: Ask, worker: ActingWorker, services: Services, redis: Redis, queue: RecordedQueue
) -> None:
    job = ask("deploy", confirmed=True)
    state = services.settings.state_dir
    JobLog(state / "done").begin(job.id, worker.claim(job.id).claim.signed)
    folder = state / "projects" / "shop"
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    Journal(folder).begin(job.id)
    signatures = Signatures.of(services.settings, "worker:default")
    now = [0.0]
    reconciler = Reconciler(redis, signatures, cast("Any", queue), state, lambda: now[0])
    for _ in range(10):
        redis.hset(key_of(job), mapping={"state": "failed"})
        reconciler.look_for_abandoned()
        now[0] += 41.0
    assert [wakeup for wakeup in queue.wakeups if wakeup[1] == job.id][1:] == [
        ("default", job.id)
    ] * 3
