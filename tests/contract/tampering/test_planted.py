"""Planted entries on Redis stop nothing: keys of a wrong type, invalid numbers, impossible times,
entries that never expire.
"""

from __future__ import annotations

import json
import time
from typing import Any, cast

import pytest
from redis import Redis

from scar.access import Actor
from scar.bootstrap import Services
from scar.commands import job_commands
from scar.errors import ScarError
from scar.jobs.ledger import Ledger
from scar.jobs.locks import Locks
from scar.jobs.record import Job, JobState
from scar.jobs.redis_keys import FAMILIES, SET_ASIDE, TYPES, set_aside_wrong_keys
from scar.jobs.signing import Signatures
from scar.jobs.sweeper import Sweeper
from tests.contract.conftest import RecordedQueue
from tests.contract.tampering.records import FORGED, Ask, key_of, record_of
from tests.support.acting_worker import ActingWorker
from tests.support.waiting import eventually

OLGA = Actor("telegram", "1", "Olga")


def sign(services: Services, job: Job, **changes: Any) -> None:
    """Write a job whose request telegram has signed, with `changes`."""
    text = json.dumps({**job.request.to_json(), "id": FORGED, **changes})
    signature = services.signatures.sign("request", text)
    record = {**record_of(services.redis, job), "request": text, "signature": signature}
    services.redis.hset(f"scar:job:{FORGED}", mapping=cast("dict[Any, Any]", record))
    for index in ("scar:jobs", "scar:jobs:shop"):
        services.redis.zadd(index, {FORGED: 0})
    services.redis.zadd("scar:open", {FORGED: 0})


def expires(services: Services, worker: ActingWorker, job: Job) -> None:
    """Check that a sweep gets as far as this job."""
    services.redis.hset(key_of(job), "expires", "1000")
    worker.sweep()
    assert services.job_service.get(job.id).state is JobState.EXPIRED


@pytest.mark.parametrize(
    "changes",
    [
        {"requested_by": "root"},
        {"requested_by": {"frontend": "telegram", "id": 1, "name": None}},
        {"created_at": 1e300},
        {"created_at": "9" * 5000},
        {"created_at": -1},
        {"expires_at": 10**18},
        {"host": None},
        {"host": ["default"]},
        {"kind": {}},
        {"args": []},
        {"holds": 5},
        {"holds": [[], None]},
        {"changes": "yes"},
        {"project": 7},
        {"voucher": "x"},
        {"more": 1},
    ],
    ids=repr,
)
def test_a_signed_malformed_request_breaks_neither_lists_nor_the_sweep(
    ask: Ask, services: Services, worker: ActingWorker, changes: dict[str, Any]
) -> None:
    job = ask("status")
    sign(services, job, **changes)
    listed = {one.id: one for one in services.ledger.recent()}
    assert [one.to_json()["created_at"] for one in listed.values()]
    assert job.id in listed
    if "more" not in changes:
        assert listed[FORGED].error is not None
        with pytest.raises(ScarError, match="tampered"):
            services.ledger.events(FORGED)
    expires(services, worker, job)


@pytest.mark.parametrize("when", ["1e300", "nan", "9" * 400])
@pytest.mark.parametrize("state", ["running", "queued", "awaiting_confirmation"])
def test_impossible_times_break_neither_lists_nor_the_sweep(
    ask: Ask, services: Services, worker: ActingWorker, redis: Redis, when: str, state: str
) -> None:
    spoilt, job = ask("logs"), ask("status")
    names = ("lease", "attempt", "fence", "seq", "started", "finished", "confirm_until", "expires")
    times: dict[Any, Any] = dict.fromkeys(names, when)
    redis.hset(key_of(spoilt), mapping={**times, "state": state, "rung": when})
    redis.set("scar:sweep:last", when)
    redis.set("scar:sweep:grace", when)
    expires(services, worker, job)
    assert {one.to_json()["id"] for one in services.ledger.recent()} == {spoilt.id, job.id}


@pytest.mark.parametrize("score", ["1e300", "-1e300", "inf"])
def test_an_impossible_score_on_redis_does_not_break_the_list_of_jobs(
    ask: Ask, services: Services, redis: Redis, score: str
) -> None:
    jobs = [ask("status") for _ in range(5)]
    redis.zadd("scar:jobs", {jobs[1].id: score, jobs[3].id: score})
    listed = [job.id for job in services.ledger.recent(batch=2)]
    assert listed == sorted((job.id for job in jobs), reverse=True)


def test_jobs_that_never_end_do_not_keep_the_sweep_from_others(
    ask: Ask, services: Services, worker: ActingWorker, redis: Redis
) -> None:
    job = ask("status")
    lease = int((time.time() + 50) * 1000)
    redis.zadd("scar:open", {f"01PLANTED{n:017}": -1 for n in range(1500)})
    redis.hset(key_of(job), "expires", "1000")
    for n in range(1500):
        mapping: dict[Any, Any] = {"state": "running", "lease": lease}
        redis.hset(f"scar:job:01PLANTED{n:017}", mapping=mapping)

    def is_seen() -> bool:
        worker.sweep()
        return services.job_service.get(job.id).state is JobState.EXPIRED

    eventually(is_seen, "the sweep comes to the other")


@pytest.mark.parametrize("name", ["slots", "waiting", "long"])
@pytest.mark.parametrize("host", ["default", "another"])
def test_planted_entries_do_not_occupy_a_slot_for_ever(
    services: Services, worker: ActingWorker, redis: Redis, name: str, host: str
) -> None:
    for n in range(9):
        id = f"01PLANTED{n:017}"
        states: dict[Any, Any] = {
            "state": "queued" if name == "waiting" else "running",
            "lease": "1e300",
        }
        redis.hset(f"scar:job:{id}", mapping={**states, "host": host, "attempt": "3"})
        redis.hset(f"scar:{name}:default", id, "long_read telegram:1")
        redis.hset(f"scar:{name}:default", f"no id {n}", "long_change telegram:1")
        redis.zadd("scar:open", {id: 0})
    worker.sweep()
    redis.delete("scar:sweep:grace")
    worker.sweep()
    job = services.job_service.submit(
        OLGA, job_commands()["follow"], services.projects.get("shop"), {"container": "web"}
    )
    worker.sweep()
    for n in range(9 if name == "waiting" else 0):  # it is their turn first, and they are refused
        services.ledger.claim(f"01PLANTED{n:017}", "test", "nonce")
        redis.hset(f"scar:job:01PLANTED{n:017}", "state", "failed")
    assert services.ledger.claim(job.id, "test", "nonce") is not None


def test_a_key_of_a_wrong_type_is_set_aside_once(redis: Redis) -> None:
    single = [(f"scar:{name}", wanted) for name, wanted in TYPES.items()]
    many = [(f"scar:{family}:x".replace("index:x", "index"), t) for family, t in FAMILIES.items()]
    keys = [*single, *many, ("scar:job:x:events", "stream")]
    for key, wanted in keys:
        if wanted == "list":
            redis.set(key.removesuffix(":x") + "x", "planted")
        else:
            redis.rpush(key.replace("unacked:x", "unacked"), "planted")
    redis.set("scar:of-another-program", "x")
    renamed = set_aside_wrong_keys(redis)
    assert len(renamed) == len(keys)
    for key in renamed:
        assert redis.exists(key) == 0
        assert redis.exists(SET_ASIDE + key.removeprefix("scar:")) == 1
    assert set_aside_wrong_keys(redis) == []


def test_a_stream_whose_end_lies_in_the_future_is_set_aside(
    ask: Ask, services: Services, redis: Redis
) -> None:
    ask("status")
    redis.xadd("scar:audit", {"line": "x"}, id="18446744073709551615-18446744073709551615")
    services.audit.write_refusal(OLGA, "restart", "refused: forbidden")
    assert [entry.to_json()["at"] for entry in services.audit.recent()]
    with pytest.raises(ScarError):
        ask("status")
    assert set_aside_wrong_keys(redis) == ["scar:audit"]
    assert ask("status").state is JobState.QUEUED


@pytest.mark.usefixtures("worker")
def test_keys_of_a_wrong_type_prevent_new_jobs_only_until_the_next_sweep(
    ask: Ask, services: Services, redis: Redis, queue: RecordedQueue
) -> None:
    job = ask("status")
    record = ask("logs")
    redis.delete(key_of(record))
    redis.rpush(key_of(record), "no hash")
    assert [one.error is None for one in services.ledger.recent()] == [False, True]
    for name in ("open", "cancelled", "slots:default", "hold:shop", "sweep:last", "audit"):
        redis.delete(f"scar:{name}")
        redis.rpush(f"scar:{name}", "planted")
    with pytest.raises(ScarError):
        ask("restart", confirmed=True)
    ledger = Ledger(redis, Signatures.of(services.settings, "worker:default"))
    sweeper = Sweeper(ledger, cast("Any", queue), interval=0.01)
    sweeper.start()

    def is_back() -> bool:
        try:
            return ask("restart", confirmed=True).state is JobState.QUEUED
        except ScarError:
            return False

    eventually(is_back, "what was planted is out of the way")
    eventually(lambda: redis.zscore("scar:open", job.id) is not None, "open jobs are known again")
    sweeper.stop()
    sweeper._thread.join()
    assert services.ledger.claim(job.id, "test", "nonce") is not None
    told = [entry.outcome for entry in services.audit.recent() if entry.action == "redis"]
    assert told.count("set aside: scar:hold:shop") == 1


@pytest.mark.parametrize("content", [{}, {"since": 1e300}, {"since": 10**18}, {"by": 1}])
def test_a_signed_malformed_lock_still_locks_and_can_be_released(
    services: Services, redis: Redis, content: dict[str, Any]
) -> None:
    locks = Locks(redis, services.signatures)
    locks.acquire("shop", OLGA, "moving")
    sound = json.loads(cast("str", redis.hget("scar:locks", "shop")).split(" ", 2)[2])
    spoilt = {**sound, **content} if content else {}
    redis.hset("scar:locks", "shop", f"locked {services.signatures.seal('lock', spoilt)}")
    lock = locks.of("shop")
    assert lock is not None
    assert "tampered" in lock.refusal().message
    locks.release("shop", OLGA)
    assert locks.of("shop") is None


@pytest.mark.parametrize("at", ["x", None, 1e300, 10**18])
def test_a_signed_malformed_line_does_not_break_the_audit_list(
    services: Services, redis: Redis, at: Any
) -> None:
    services.audit.write(OLGA, "act", "accepted")
    line = services.signatures.seal("audit", {"n": "x", "prev": "", "at": at, "actor": 5})
    redis.xadd("scar:audit", {"line": line})
    assert [entry.to_json()["actor"] for entry in services.audit.recent()] == ["?", "telegram:1"]
    assert services.audit.problem() is not None


def test_malformed_events_of_a_worker_are_reported_and_break_nothing_else(
    ask: Ask, services: Services, worker: ActingWorker
) -> None:
    job = ask("status")
    claim = worker.claim(job.id)
    for content in (("step", {}), ("job", {"state": "?"}), ("progress", {"step": 1})):
        assert claim.say(cast("Any", content))
    _, _, *malformed = services.ledger.events(job.id)
    assert len(malformed) == 3
    for event in malformed:
        with pytest.raises(ScarError, match="none that SCAR writes"):
            job.after(event)


def test_a_question_that_nobody_answered_is_forgotten_after_a_day(
    ask: Ask, services: Services, worker: ActingWorker, redis: Redis
) -> None:
    expired, cancelled = ask("restart"), ask("deploy")
    services.job_service.cancel(OLGA, cancelled.id)
    worker.plan(expired.id)
    redis.hset(key_of(expired), "confirm_until", "1000")
    worker.sweep()
    assert services.job_service.get(expired.id).state is JobState.EXPIRED
    for job in (expired, cancelled):
        assert 0 < redis.ttl(key_of(job)) <= 86_400
