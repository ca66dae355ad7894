"""Every script of the ledger: what a job's record says after each step of its life."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from redis import Redis

from scar.bootstrap import Services
from scar.errors import ScarError
from scar.jobs.claim import SignedRequest
from scar.jobs.overdue import ATTEMPTS
from scar.jobs.proofs import JobEnd
from scar.jobs.record import Job, JobState
from scar.jobs.signing import Signer
from scar.jobs.stream import EventStream
from tests.contract.conftest import RecordedQueue
from tests.support.acting_worker import ActingWorker
from tests.support.waiting import eventually

Ask = Callable[..., Job]
PAST = "1000"


def let_pass(redis: Redis, id: str, field: str) -> None:
    """Move a time of a job's record into the past, as if it had passed."""
    redis.hset(f"scar:job:{id}", field, PAST)


def swept(services: Services) -> list[tuple[str, str]]:
    """Sweep as a worker does."""
    return ActingWorker(services).sweep()


def sweep(services: Services) -> list[tuple[str, str]]:
    """Sweep as one that swept a second ago: no grace for workers that were away."""
    swept(services)
    services.redis.delete("scar:sweep:grace")
    return swept(services)


def states(services: Services, id: str) -> list[str]:
    return [e.data["state"] for e in services.ledger.events(id) if e.type == "job"]


def test_submit_queues_a_job_and_wakes_its_host(
    ask: Ask, worker: ActingWorker, services: Services, queue: RecordedQueue
) -> None:
    job = ask("status")
    assert worker.state(job.id) is JobState.QUEUED
    assert queue.wakeups == [("default", job.id)]
    assert [one.id for one in services.ledger.recent("shop")] == [job.id]


@pytest.mark.usefixtures("worker")
def test_submit_with_the_same_idempotency_key_makes_one_job(ask: Ask, services: Services) -> None:
    first = ask("status", key="k1")
    assert ask("status", key="k1").id == first.id
    with pytest.raises(ScarError, match="used for another request"):
        ask("restart", key="k1")
    assert len([*services.ledger.recent()]) == 1


def test_jobs_that_only_read_are_deleted_after_fifteen_minutes(
    ask: Ask, worker: ActingWorker, services: Services
) -> None:
    read, write = ask("status", key="k1"), ask("restart", confirmed=True)
    for job in (read, write):
        end = JobEnd(JobState.SUCCEEDED, {})
        worker.claim(job.id).end(end, changes=job.request.changes)
    for job, minutes in ((read, 15), (write, 30 * 24 * 60)):
        for key in (f"scar:job:{job.id}", f"scar:job:{job.id}:events"):
            left = services.redis.pttl(key)
            assert (minutes - 1) * 60_000 < left <= minutes * 60_000
    services.redis.delete(f"scar:job:{read.id}", f"scar:job:{read.id}:events")
    assert [job.id for job in services.ledger.recent()] == [write.id]
    assert ask("status", key="k1").id != read.id, "its key asks again: there is no answer any more"


def test_a_second_job_is_refused_while_the_first_locks_the_project(
    ask: Ask, worker: ActingWorker
) -> None:
    first = ask("restart", confirmed=True)
    with pytest.raises(ScarError, match="held by restart"):
        ask("deploy", confirmed=True)
    worker.claim(first.id).succeed({})
    assert ask("deploy", confirmed=True).state is JobState.QUEUED


def test_claim_gives_a_job_to_one_worker(ask: Ask, services: Services) -> None:
    job = ask("status")
    first = services.ledger.claim(job.id, "one", "nonce-1")
    assert first is not None
    assert (first.purpose, first.attempt) == ("run", 1)
    again = services.ledger.claim(job.id, "one", "nonce-1")
    assert again is not None
    assert again.fence == first.fence
    assert services.ledger.claim(job.id, "two", "nonce-2") is None


def test_a_worker_that_lost_its_lease_can_write_nothing_more(
    ask: Ask, worker: ActingWorker, services: Services
) -> None:
    job = ask("status")
    lost = worker.claim(job.id)
    let_pass(services.redis, job.id, "lease")
    assert sweep(services) == [(job.id, "default")]
    worker.claim(job.id).succeed({"answer": 42})
    assert services.ledger.renew(job.id, lost.claim.fence) == (False, "")
    assert not lost.say(("output", {}))
    assert (services.job_service.get(job.id).result or {})["answer"] == 42
    assert states(services, job.id) == ["queued", "running", "queued", "running", "succeeded"]


def test_a_job_whose_workers_are_all_lost_fails(
    ask: Ask, worker: ActingWorker, services: Services
) -> None:
    job = ask("status")
    for _ in range(ATTEMPTS):
        worker.claim(job.id)
        let_pass(services.redis, job.id, "lease")
        sweep(services)
    ended = services.job_service.get(job.id)
    assert ended.state is JobState.FAILED
    assert ended.error is not None
    assert ended.error.code == "worker_lost"


def test_a_lease_that_was_renewed_is_kept(
    ask: Ask, worker: ActingWorker, services: Services
) -> None:
    job = ask("status")
    claim = worker.claim(job.id).claim
    let_pass(services.redis, job.id, "lease")
    assert services.ledger.renew(job.id, claim.fence) == (True, "")
    sweep(services)
    assert worker.state(job.id) is JobState.RUNNING


def test_after_redis_was_down_workers_get_one_lease_of_time_to_continue_their_jobs(
    ask: Ask, worker: ActingWorker, services: Services
) -> None:
    job = ask("status")
    worker.claim(job.id)
    let_pass(services.redis, job.id, "lease")
    swept(services)
    assert worker.state(job.id) is JobState.RUNNING


def test_report_writes_each_batch_once(ask: Ask, worker: ActingWorker, services: Services) -> None:
    job = ask("status")
    claim = worker.claim(job.id)
    for _ in range(2):
        claim.batch = 0
        claim.lines("once")
    assert [e.type for e in services.ledger.events(job.id)] == ["job", "job", "output"]
    last = services.ledger.events(job.id)[-1].id
    assert services.ledger.events(job.id, last - 1)[0].data == {"line": "once"}


def test_confirm_is_bound_to_the_plan_that_was_shown(
    ask: Ask, worker: ActingWorker, services: Services, queue: RecordedQueue
) -> None:
    job = ask("deploy")
    assert job.state is JobState.AWAITING_CONFIRMATION
    worker.plan(job.id, "a" * 64)
    with pytest.raises(ScarError) as changed:
        services.job_service.confirm(job.request.requested_by, job.id, "yes", shown="b" * 64)
    assert changed.value.code == "conflict"
    confirmed = services.job_service.confirm(
        job.request.requested_by, job.id, "yes", shown="a" * 64
    )
    assert confirmed.state is JobState.QUEUED
    assert queue.wakeups[-1] == ("default", job.id)
    with pytest.raises(ScarError):
        services.job_service.confirm(job.request.requested_by, job.id, "yes", shown="c" * 64)


def test_a_question_that_nobody_answers_expires(
    ask: Ask, worker: ActingWorker, services: Services
) -> None:
    job = ask("deploy")
    worker.plan(job.id)
    let_pass(services.redis, job.id, "confirm_until")
    sweep(services)
    assert worker.state(job.id) is JobState.EXPIRED
    with pytest.raises(ScarError):
        services.job_service.confirm(job.request.requested_by, job.id, "yes")


def test_cancel_ends_a_waiting_job_and_tells_the_worker_of_a_running_one(
    ask: Ask, worker: ActingWorker, services: Services
) -> None:
    waiting, running = ask("status"), ask("logs")
    services.job_service.cancel(waiting.request.requested_by, waiting.id)
    assert worker.state(waiting.id) is JobState.CANCELLED
    claim = worker.claim(running.id)
    services.job_service.cancel(running.request.requested_by, running.id)
    held, cancellation = services.ledger.renew(running.id, claim.claim.fence)
    assert held
    opened = services.signatures.open("cancellation", cancellation)
    assert opened is not None
    assert opened.content["job"] == running.id
    claim.succeed({})
    with pytest.raises(ScarError, match="has ended already"):
        services.job_service.cancel(running.request.requested_by, running.id)


def test_a_job_that_no_worker_takes_expires(ask: Ask, services: Services) -> None:
    job = ask("status")
    let_pass(services.redis, job.id, "expires")
    sweep(services)
    ended = services.job_service.get(job.id)
    assert ended.state is JobState.EXPIRED
    assert ended.error is not None
    assert ended.error.code == "host_unavailable"


def test_sweep_wakes_again_for_a_job_whose_wakeup_was_lost(ask: Ask, services: Services) -> None:
    job = ask("status")
    let_pass(services.redis, job.id, "rung")
    assert swept(services) == [(job.id, "default")]
    assert swept(services) == []


def test_restore_writes_a_begun_job_again_after_redis_lost_it(
    ask: Ask, worker: ActingWorker, services: Services
) -> None:
    job = ask("restart", confirmed=True)
    signed = worker.claim(job.id).claim.signed
    assert not services.ledger.restore(job.request, signed)
    services.redis.flushdb()
    assert services.ledger.restore(job.request, signed)
    holder = services.ledger.lock_holder("shop")
    assert holder is not None
    assert holder.id == job.id
    claim = worker.claim(job.id).claim
    assert claim.attempt == 2
    assert claim.signed == signed


def test_restore_is_refused_while_another_job_locks_the_project(
    ask: Ask, worker: ActingWorker, services: Services
) -> None:
    lost = ask("restart", confirmed=True)
    signed: SignedRequest = worker.claim(lost.id).claim.signed
    services.redis.flushdb()
    ask("restart", confirmed=True)
    assert not services.ledger.restore(lost.request, signed)


def test_a_claim_carries_the_signed_request_which_cannot_be_altered(
    ask: Ask, worker: ActingWorker
) -> None:
    signed = worker.claim(ask("status").id).claim.signed
    checks = worker.services.signatures.signer
    assert checks("request", signed.request, signed.signature) == Signer("telegram")
    assert checks("request", signed.request + " ", signed.signature) is None
    assert checks("confirmation", signed.request, signed.signature) is None


def test_an_event_stream_that_is_closed_leaves_no_thread_behind(
    ask: Ask, services: Services
) -> None:
    before = threading.enumerate()
    stream = EventStream(services.redis, services.ledger)
    next(stream.follow(ask("status").id))
    (reader,) = [
        thread
        for thread in threading.enumerate()
        if thread.name == "events" and thread not in before
    ]
    stream.close()
    eventually(lambda: not reader.is_alive(), "the reader has ended")
