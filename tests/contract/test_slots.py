"""What runs at once on a host: reading and long jobs leave room, and wait for their turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from redis import Redis

from scar.access import Actor, Role
from scar.bootstrap import Services
from scar.commands import job_commands
from scar.errors import ScarError
from scar.jobs.claim import Claim
from scar.jobs.record import Job, JobState
from scar.jobs.slots import LIMITS, PROCESSES
from tests.support.acting_worker import ActingClaim, ActingWorker

AskAs = Callable[[str, str], Job]


@pytest.fixture
def ask_as(services: Services, monkeypatch: pytest.MonkeyPatch) -> AskAs:
    """`ask_as("ann", "follow")`: a person of this name asks; everybody is an admin here."""
    monkeypatch.setattr(type(services.access), "require", lambda *_, **__: Role.ADMIN)

    def ask(person: str, kind: str) -> Job:
        shop = services.projects.get("shop")
        project = replace(shop, name=f"shop-{person}", workspace=shop.workspace / person)
        who = Actor("telegram", person, person.title())
        args = {"text": "tidy up"} if kind == "agent" else {}
        return services.job_service.submit(who, job_commands()[kind], project, args, confirmed=True)

    return ask


def claimed(services: Services, job: Job) -> Claim | None:
    return services.ledger.claim(job.id, "one", f"nonce of {job.id}")


def end(services: Services, job: Job) -> None:
    claim = claimed(services, job)
    assert claim is not None
    ActingClaim.of(services, claim).succeed({})


def test_one_person_can_follow_one_log_at_once(ask_as: AskAs, services: Services) -> None:
    first = ask_as("ann", "follow")
    with pytest.raises(ScarError) as refused:
        ask_as("ann", "follow")
    assert refused.value.code == "busy"
    assert first.id in refused.value.message
    assert refused.value.hint == "/docker_unfollow ends it."
    end(services, first)
    assert ask_as("ann", "follow").state is JobState.QUEUED


@pytest.mark.parametrize("kind", ["follow", "agent"])
def test_a_long_job_is_refused_where_as_many_are_open_as_may_run(
    kind: str, ask_as: AskAs, services: Services
) -> None:
    jobs = [ask_as(f"p{number}", kind) for number in range(LIMITS.long_of_class)]
    with pytest.raises(ScarError) as refused:
        ask_as("zoe", kind)
    assert refused.value.code == "busy"
    assert all(
        f"{job.id}) of {job.request.requested_by.name}" in refused.value.message for job in jobs
    )
    assert f"/docker_cancel {jobs[0].id}" in refused.value.hint
    services.job_service.cancel(jobs[0].request.requested_by, jobs[0].id)
    assert ask_as("zoe", kind).state is JobState.QUEUED


def test_reading_jobs_leave_a_process_free_for_a_changing_job(
    ask_as: AskAs, services: Services
) -> None:
    asked = [(f"p{number}", "follow") for number in range(LIMITS.long_of_class)]
    asked += [(f"q{number}", "agent") for number in range(LIMITS.long_of_class)]
    asked += [(f"r{number}", "status") for number in range(2 * PROCESSES)]
    jobs = [ask_as(*one) for one in asked]
    running = [job.request.kind for job in jobs if claimed(services, job)]
    assert len(running) == PROCESSES - 1
    assert running.count("status") == 1, "a short read finds a process beside the long jobs"
    assert claimed(services, ask_as("olga", "restart"))


def test_one_persons_reads_leave_slots_to_others(ask_as: AskAs, services: Services) -> None:
    flood = [ask_as("ann", "status") for _ in range(10)]
    running = [job for job in flood if claimed(services, job)]
    assert len(running) == LIMITS.reads_of_person
    first, second = ask_as("bob", "status"), ask_as("cid", "status")
    assert claimed(services, first)
    assert not claimed(services, second)
    assert services.ledger.next_waiting("default") is None
    end(services, running[0])
    assert services.ledger.next_waiting("default") == second.id
    assert not claimed(services, flood[-1]), "it is not its turn"
    assert claimed(services, second)


def test_the_sweep_wakes_only_the_job_whose_turn_it_is(
    ask_as: AskAs, worker: ActingWorker, services: Services, redis: Redis
) -> None:
    flood = [ask_as("ann", "status") for _ in range(10)]
    running = [job for job in flood if claimed(services, job)]
    for job in flood:
        redis.hset(f"scar:job:{job.id}", "rung", 1000)
    assert worker.sweep() == []
    end(services, running[0])
    waiting = [job for job in flood if job not in running]
    assert worker.sweep() == [(waiting[0].id, "default")]
    services.job_service.cancel(waiting[0].request.requested_by, waiting[0].id)
    assert worker.sweep() == [(waiting[1].id, "default")]


def test_a_slot_whose_worker_was_lost_is_free_again(
    ask_as: AskAs, services: Services, redis: Redis
) -> None:
    flood = [ask_as("ann", "status") for _ in range(10)]
    running = [job for job in flood if claimed(services, job)]
    redis.hset(f"scar:job:{running[0].id}", "lease", 1000)
    waiting = next(job for job in flood if job not in running)
    assert claimed(services, waiting)


def test_a_reading_job_that_got_no_slot_in_time_says_so(
    ask_as: AskAs, worker: ActingWorker, services: Services, redis: Redis
) -> None:
    flood = [ask_as("ann", "status") for _ in range(10)]
    waiting = next(job for job in flood if not claimed(services, job))
    redis.hset(f"scar:job:{waiting.id}", "expires", 1000)
    worker.sweep()
    ended = services.job_service.get(waiting.id)
    assert ended.state is JobState.EXPIRED
    assert ended.error is not None
    assert ended.error.code == "busy"


def test_a_person_can_follow_again_right_after_stopping_a_live_log(
    ask_as: AskAs, services: Services
) -> None:
    first = ask_as("ann", "follow")
    assert claimed(services, first)
    services.job_service.cancel(first.request.requested_by, first.id)
    second = ask_as("ann", "follow")
    assert not claimed(services, second), "the first has not stopped yet"
    end(services, first)
    assert claimed(services, second)
