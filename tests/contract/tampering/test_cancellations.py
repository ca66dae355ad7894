"""A cancelled job stays cancelled, and only people with the right can cancel one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from scar.access import Actor, Role
from scar.bootstrap import Services
from scar.errors import ScarError
from scar.jobs.proofs import valid_cancellation
from scar.jobs.record import JobState
from scar.jobs.signing import Signatures
from scar.keys.key_store import key_pair, trusted_keys
from scar.settings import Settings
from tests.contract.conftest import RecordedQueue
from tests.contract.tampering.records import (
    TAMPERED,
    Ask,
    key_of,
    put_back,
    record_of,
)
from tests.support.acting_worker import ActingWorker
from workers.runner import Runner


@pytest.mark.usefixtures("worker")
def test_a_job_that_was_cancelled_and_put_back_is_not_done(
    ask: Ask, services: Services, redis: Redis, queue: RecordedQueue, wake: Callable[[str], None]
) -> None:
    job = ask("restart", confirmed=True)
    confirmed = record_of(redis, job)
    services.job_service.cancel(job.request.requested_by, job.id)
    assert queue.wakeups[-1] == ("default", job.id), "the host is told"
    wake(job.id)
    put_back(redis, job, confirmed)
    wake(job.id)
    ended = services.job_service.get(job.id)
    assert ended.state is JobState.CANCELLED
    assert not ended.steps


@pytest.mark.usefixtures("worker")
def test_an_unsigned_cancellation_is_not_stored_on_the_host(
    ask: Ask, services: Services, redis: Redis, runner: Runner, wake: Callable[[str], None]
) -> None:
    job = ask("restart", confirmed=True)
    redis.hset(key_of(job), mapping={"state": "cancelled", "cancellation": "x"})
    with pytest.raises(ScarError, match=TAMPERED):
        services.job_service.get(job.id)
    wake(job.id)
    assert not runner.job_log.begun(job.id)


def test_a_cancellation_that_cannot_be_read_cancels_nothing(services: Services, ask: Ask) -> None:
    job = ask("status")
    for content in ({"job": job.id}, {"job": job.id, "by": 1, "at": 1, "voucher": None}):
        sealed = services.signatures.seal("cancellation", content)
        assert valid_cancellation(services.signatures, job.id, sealed) is None


@pytest.mark.usefixtures("worker")
def test_a_cancellation_that_the_host_could_not_store_is_sent_again(
    ask: Ask, services: Services, runner: Runner, wake: Callable[[str], None]
) -> None:
    job = ask("restart", confirmed=True)
    services.job_service.cancel(job.request.requested_by, job.id)
    done = services.settings.state_dir / "done"
    done.parent.mkdir(parents=True, exist_ok=True)
    done.write_text("a file in the way of the folder")
    wake(job.id)
    done.unlink()
    wake(job.id)
    assert runner.job_log.ended(job.id)


def test_the_worker_checks_who_has_cancelled_a_job(
    ask: Ask, services: Services, redis: Redis, runner: Runner, wake: Callable[[str], None]
) -> None:
    job = ask("restart", confirmed=True)

    def cancelled_by(actor: Actor) -> str:
        content = {"job": job.id, "by": actor.to_json(), "at": 1, "voucher": None}
        return services.signatures.seal("cancellation", content)

    canceller = runner.verification.canceller
    own = job.request.requested_by
    eve = cancelled_by(Actor("telegram", "77", "Eve", Role.ADMIN))
    assert canceller(job.request, eve) is None
    assert canceller(job.request, cancelled_by(own)) == own
    redis.hset(key_of(job), mapping={"state": "cancelled", "cancellation": eve})
    wake(job.id)
    assert not runner.job_log.begun(job.id)


def test_a_cancellation_signed_with_a_retired_key_does_not_stop_a_running_job(
    tmp_path: Path, ask: Ask, runner: Runner
) -> None:
    own = Settings(state_dir=tmp_path / "own")
    telegram, worker = (Signatures.of(own, part) for part in ("telegram", "worker:default"))
    job = ask("restart", confirmed=True)
    by = job.request.requested_by
    content = {"job": job.id, "by": by.to_json(), "at": 1, "voucher": None}
    sealed = telegram.seal("cancellation", content)
    verification = replace(runner.verification, signatures=worker)
    assert verification.canceller(job.request, sealed) == by
    trusted_keys(own).retire(key_pair(own, "telegram").public.id)
    assert verification.canceller(job.request, sealed) is None


@pytest.mark.usefixtures("worker")
def test_a_host_whose_wake_up_of_a_cancellation_was_lost_is_woken_again(
    ask: Ask, services: Services, redis: Redis, worker: ActingWorker, wake: Callable[[str], None]
) -> None:
    job = ask("restart", confirmed=True)
    services.job_service.cancel(job.request.requested_by, job.id)
    redis.hset(key_of(job), "rung", "0")
    assert (job.id, "default") in worker.sweep()
    assert (job.id, "default") not in worker.sweep(), "not every second"
    wake(job.id)
    redis.hset(key_of(job), "rung", "0")
    assert worker.sweep() == []
