"""Who can write to Redis, and has no key, makes no worker act and no lie look true."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from scar.access import Actor, Role
from scar.bootstrap import Services
from scar.errors import ScarError
from scar.jobs.claim import Claim, SignedRequest
from scar.jobs.locks import EVERYTHING, Locks
from scar.jobs.proofs import JobEnd, valid_cancellation
from scar.jobs.record import Job, JobState
from scar.jobs.signing import WAKEUP, Signatures, sealed_content
from scar.jobs.subscriptions import Subscription, Subscriptions
from scar.jobs.trail import AnchorFile, Trail, TrailEntry
from scar.keys.key_store import key_pair, trusted_keys
from scar.settings import Settings
from tests.contract.conftest import RecordedQueue
from tests.support.acting_worker import ActingWorker
from tests.support.keys import signatures_of
from workers.reconciler import Reconciler
from workers.runner import Runner
from workers.runtime.verification import Forged
from workers.state.job_log import JobLog
from workers.state.journal import Journal
from workers.state.known_locks import KnownLocks

Ask = Callable[..., Job]
TAMPERED = "was tampered with"


def key_of(job: Job) -> str:
    return f"scar:job:{job.id}"


def record_of(redis: Redis, job: Job) -> dict[str, str]:
    return cast("dict[str, str]", redis.hgetall(key_of(job)))


def put_back(redis: Redis, job: Job, record: dict[str, str]) -> None:
    """Write a job's record as it was, as if nothing had come of it."""
    redis.delete(key_of(job))
    redis.hset(key_of(job), mapping=cast("dict[Any, Any]", record))
    redis.persist(key_of(job))
    redis.zadd("scar:open", {job.id: 0})


@pytest.fixture
def runner(services: Services, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """What a process of the worker runs jobs with."""
    monkeypatch.setattr("workers.runner.connect", lambda *_: redis)
    return Runner.of(services.settings)


@pytest.fixture
def wake(services: Services, runner: Runner) -> Callable[[str], None]:
    """`wake(id)`: what a wake-up on the host's queue does."""
    return lambda id: runner.run(id, services.signatures.sign(WAKEUP, f"default/{id}"))


def test_a_question_that_was_put_in_the_place_of_another_is_not_shown(
    ask: Ask, worker: ActingWorker, services: Services, redis: Redis
) -> None:
    restart, deploy = ask("restart"), ask("deploy")
    for job in (restart, deploy):
        worker.plan(job.id)
    other = record_of(redis, deploy)
    for fields in (
        {name: other[name] for name in ("request", "signature")},
        {name: other[name] for name in ("plan", "plan_hash")},
        other,
    ):
        before = record_of(redis, restart)
        redis.hset(key_of(restart), mapping=cast("dict[Any, Any]", fields))
        with pytest.raises(ScarError, match=TAMPERED):
            services.job_service.get(restart.id)
        with pytest.raises(ScarError, match=TAMPERED):
            services.job_service.confirm(restart.request.requested_by, restart.id, "yes")
        put_back(redis, restart, before)


@pytest.mark.usefixtures("worker")
def test_a_yes_to_one_job_does_not_run_another(
    ask: Ask, services: Services, redis: Redis, runner: Runner, wake: Callable[[str], None]
) -> None:
    answered, other = ask("restart", confirmed=True), None
    confirmation = record_of(redis, answered)["confirmation"]
    services.job_service.cancel(answered.request.requested_by, answered.id)
    other = ask("deploy")
    redis.hset(key_of(other), mapping={"state": "queued", "confirmation": confirmation})
    wake(other.id)
    refused = services.job_service.get(other.id)
    assert refused.error is not None
    assert "given to something else" in refused.error.message
    assert not runner.job_log.begun(other.id)


@pytest.mark.usefixtures("worker")
def test_a_yes_that_is_too_old_runs_nothing(
    ask: Ask, services: Services, redis: Redis, runner: Runner, wake: Callable[[str], None]
) -> None:
    job = ask("restart", confirmed=True)
    content = json.loads(record_of(redis, job)["confirmation"].partition(" ")[2])
    old = services.signatures.seal("confirmation", {**content, "at": content["at"] - 16 * 60_000})
    redis.hset(key_of(job), "confirmation", old)
    wake(job.id)
    refused = services.job_service.get(job.id)
    assert refused.error is not None
    assert "too long ago" in refused.error.message
    assert not runner.job_log.begun(job.id)


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
def test_a_cancellation_that_nobody_signed_is_not_kept(
    ask: Ask, services: Services, redis: Redis, runner: Runner, wake: Callable[[str], None]
) -> None:
    job = ask("restart", confirmed=True)
    redis.hset(key_of(job), mapping={"state": "cancelled", "cancellation": "x"})
    with pytest.raises(ScarError, match=TAMPERED):
        services.job_service.get(job.id)
    wake(job.id)
    assert not runner.job_log.begun(job.id)


@pytest.mark.parametrize("state", [state for state in JobState if state.ended])
def test_an_end_that_nobody_signed_is_not_shown(
    ask: Ask, worker: ActingWorker, services: Services, redis: Redis, state: JobState
) -> None:
    job = ask("restart", confirmed=True)
    worker.claim(job.id).lines("working")
    redis.hset(key_of(job), mapping={"state": state.value, "finished": "1"})
    with pytest.raises(ScarError, match=TAMPERED):
        services.job_service.get(job.id)
    listed = next(services.ledger.recent())
    assert listed.error is not None
    assert TAMPERED in listed.error.message


def test_an_end_of_another_job_or_host_is_not_shown(
    ask: Ask, worker: ActingWorker, services: Services, redis: Redis
) -> None:
    done, running = ask("status"), ask("logs")
    worker.claim(done.id).succeed({})
    worker.claim(running.id)
    redis.hset(key_of(running), "state", "succeeded")
    far = Signatures.of(services.settings, "worker:far")
    for end in (
        record_of(redis, done)["end"],
        far.seal("end", JobEnd(JobState.SUCCEEDED, {}).of(running.id)),
    ):
        redis.hset(key_of(running), "end", end)
        with pytest.raises(ScarError, match=TAMPERED):
            services.job_service.get(running.id)


@pytest.mark.parametrize(
    "fields",
    [
        {"at": "1", "batch": "9", "events": '[["output",{"line":"a lie"}]]', "seal": "x"},
        {"at": "1", "type": "job", "data": '{"state": "succeeded"}'},
        {"at": "1", "type": "output", "data": '{"line": "a lie"}'},
        {"at": "1", "type": "job", "data": "no JSON"},
        {"what": "ever"},
    ],
)
def test_an_event_that_nobody_signed_is_not_shown(
    ask: Ask, worker: ActingWorker, services: Services, redis: Redis, fields: dict[str, str]
) -> None:
    job = ask("status")
    worker.claim(job.id).lines("the truth")
    redis.xadd(f"{key_of(job)}:events", cast("Any", fields), id="99-0")
    with pytest.raises(ScarError, match=TAMPERED):
        services.ledger.events(job.id)


def test_an_event_of_another_job_is_not_shown(
    ask: Ask, worker: ActingWorker, services: Services, redis: Redis
) -> None:
    one, other = ask("status"), ask("logs")
    worker.claim(one.id).lines("of the other job")
    worker.claim(other.id)
    entries = cast("list[Any]", redis.xrange(f"{key_of(one)}:events"))
    redis.xadd(f"{key_of(other)}:events", entries[-1][1], id="99-0")
    with pytest.raises(ScarError, match=TAMPERED):
        services.ledger.events(other.id)


def test_a_lock_that_is_removed_or_forged_on_redis_holds(
    ask: Ask, services: Services, redis: Redis
) -> None:
    locks = Locks(redis, services.signatures)
    known = KnownLocks(services.settings.state_dir / "locks.json", services.signatures)
    locks.acquire("shop", Actor("telegram", "1", "Olga"), "moving the database")
    known.sync(locks)
    redis.hdel("scar:locks", "shop")
    assert known.of("shop") is not None
    known.sync(locks)
    with pytest.raises(ScarError, match="moving the database"):
        ask("restart", confirmed=True)
    redis.hset("scar:locks", "shop", "released " + signatures_of("api", "another").seal("lock", {}))
    lock = locks.of("shop")
    assert lock is not None
    assert TAMPERED in lock.reason
    known.sync(locks)
    assert (locks.of("shop") or lock).reason == "moving the database"
    locks.release("shop", Actor("telegram", "1", "Olga"))
    known.sync(locks)
    assert known.of("shop") is locks.of("shop") is None


def test_a_lock_of_another_project_is_not_this_ones(services: Services, redis: Redis) -> None:
    locks = Locks(redis, services.signatures)
    locks.acquire("blog", Actor("telegram", "1", "Olga"), "of the blog")
    redis.hset("scar:locks", EVERYTHING, cast("str", redis.hget("scar:locks", "blog")))
    lock = locks.of("shop")
    assert lock is not None
    assert TAMPERED in lock.reason


@pytest.mark.usefixtures("worker")
def test_a_host_does_not_do_what_a_person_had_locked(
    ask: Ask, services: Services, redis: Redis, runner: Runner, wake: Callable[[str], None]
) -> None:
    locks = Locks(redis, services.signatures)
    known = KnownLocks(services.settings.state_dir / "locks.json", services.signatures)
    locks.acquire("shop", Actor("telegram", "1", "Olga"), "moving the database")
    known.sync(locks)
    redis.delete("scar:locks")
    job = ask("restart", confirmed=True)
    wake(job.id)
    assert not runner.job_log.begun(job.id)
    refused = services.job_service.get(job.id)
    assert refused.error is not None
    assert "moving the database" in refused.error.message


def test_a_subscription_that_nobody_signed_shows_nothing(
    services: Services, redis: Redis, ask: Ask
) -> None:
    job = ask("status")
    subscription = Subscription("telegram", job.id, '["-1001", null]')
    field = f"{job.id} {subscription.place}"
    redis.hset("scar:watches:telegram", field, "{}")
    assert services.subscriptions.of("telegram") == []
    services.subscriptions.put(subscription)
    value = cast("str", redis.hget("scar:watches:telegram", field))
    redis.hset("scar:watches:telegram", f"{job.id} elsewhere", value)
    assert services.subscriptions.of("telegram") == [subscription]


@pytest.mark.usefixtures("worker")
def test_an_edited_removed_added_or_moved_line_of_the_trail_is_seen(
    services: Services, redis: Redis
) -> None:
    for number in range(5):
        services.audit.write(Actor("telegram", "1", "Olga"), f"act{number}", "accepted")
    assert services.audit.problem() is None
    rows = cast("list[tuple[str, dict[str, str]]]", redis.xrange("scar:audit"))
    lines = [fields["line"] for _, fields in rows]
    edited = lines[2].replace("act2", "act9")
    moved = [lines[0], lines[2], lines[1], *lines[3:]]
    for attack in (
        [*lines[:2], edited, *lines[3:]],
        [*lines[:2], *lines[3:]],
        lines[:-1],
        lines[1:],
        [*lines, lines[-1]],
        moved,
        [],
    ):
        redis.delete("scar:audit")
        for line in attack:
            redis.xadd("scar:audit", {"line": line})
        assert services.audit.problem() is not None, attack


@pytest.mark.usefixtures("worker")
def test_a_trail_that_was_cut_back_with_its_end_is_seen_by_the_host(
    services: Services, redis: Redis
) -> None:
    for number in range(5):
        services.audit.write(Actor("telegram", "1", "Olga"), f"act{number}", "accepted")
        if number == 2:
            cut = cast("str", redis.get("scar:audit:tip"))
    seen = cast("str", redis.get("scar:audit:tip"))
    rows = cast("list[tuple[str, dict[str, str]]]", redis.xrange("scar:audit"))
    for id, _ in rows[3:]:
        redis.xdel("scar:audit", id)
    redis.set("scar:audit:tip", cut)
    assert services.audit.problem() is None, "without an anchor nobody can know"
    assert services.audit.problem(seen) is not None


@pytest.mark.usefixtures("worker")
def test_a_line_that_nobody_signed_is_told_apart(services: Services, redis: Redis) -> None:
    services.audit.write(Actor("telegram", "1", "Olga"), "act", "accepted")
    redis.xadd("scar:audit", {"line": "x", "actor": "telegram:1", "outcome": "accepted"})
    assert [entry.actor for entry in services.audit.recent()] == ["?", "telegram:1"]


FORGED = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def forge(services: Services, job: Job, requester: Actor) -> None:
    """Write a job that somebody made up who has the key of telegram."""
    request = {**job.request.to_json(), "id": FORGED, "requested_by": requester.to_json()}
    text = json.dumps(request)
    signature = services.signatures.sign("request", text)
    record = {**record_of(services.redis, job), "request": text, "signature": signature}
    services.redis.hset(f"scar:job:{FORGED}", mapping=cast("dict[Any, Any]", record))


@pytest.mark.parametrize("frontend", ["api", "github", "console", "schedule", "web", "service"])
def test_the_key_of_one_front_end_does_not_speak_for_the_people_of_another(
    ask: Ask, services: Services, frontend: str, runner: Runner, wake: Callable[[str], None]
) -> None:
    forge(services, ask("status"), Actor(frontend, "root", "root", Role.ADMIN))
    with pytest.raises(ScarError, match=TAMPERED):
        services.ledger.get(FORGED)
    wake(FORGED)
    assert not runner.job_log.begun(FORGED)
    assert services.redis.hget(f"scar:job:{FORGED}", "state") == "failed"


def test_the_worker_checks_the_role_that_a_front_end_claims(
    ask: Ask, services: Services, runner: Runner, wake: Callable[[str], None]
) -> None:
    forge(services, ask("restart", confirmed=True), Actor("telegram", "77", "Eve", Role.ADMIN))
    wake(FORGED)
    assert not runner.job_log.begun(FORGED)
    refused = services.job_service.get(FORGED)
    assert refused.error is not None
    assert "telegram:77 may not restart here" in refused.error.message


def test_what_a_retired_key_has_signed_makes_no_worker_act(
    tmp_path: Path, ask: Ask, services: Services, runner: Runner
) -> None:
    own = Settings(state_dir=tmp_path / "own")
    telegram, worker = (Signatures.of(own, part) for part in ("telegram", "worker:default"))
    request = ask("status").request
    text = json.dumps(request.to_json())
    signed = SignedRequest(text, telegram.sign("request", text), "")
    claim = Claim(request.id, "run", signed, 1, 1, "")
    verification = replace(runner.verification, signatures=worker)
    assert verification.verify(claim)[0] == request
    trusted_keys(own).retire(key_pair(own, "telegram").public.id)
    with pytest.raises(Forged, match="was retired"):
        verification.verify(claim)
    runner.job_log.begin(request.id, signed)
    assert verification.verify(claim)[0] == request, "one that has begun is brought to its end"
    assert services.ledger.get(request.id) is not None


def test_a_job_log_entry_is_not_looked_for_outside_its_folder(
    ask: Ask, services: Services, tmp_path: Path, runner: Runner, wake: Callable[[str], None]
) -> None:
    """Who can write a file on the host must not have it taken for a job that began here."""
    request = {**ask("restart").request.to_json(), "asks": False, "id": str(tmp_path / "planted")}
    signed = {"request": json.dumps(request), "signature": "none", "confirmation": ""}
    (tmp_path / "planted").write_text(json.dumps({"signed": signed, "begun_at": 1}))
    record = {**record_of(services.redis, next(services.ledger.recent())), **signed}
    record["state"] = "queued"
    key = f"scar:job:{request['id']}"
    services.redis.hset(key, mapping=cast("dict[Any, Any]", record))
    wake(request["id"])
    assert services.redis.hget(key, "state") == "queued"
    assert not runner.job_log.begun(request["id"])


def test_a_request_that_says_that_it_needs_no_yes_needs_one(
    ask: Ask, services: Services, runner: Runner, wake: Callable[[str], None]
) -> None:
    job = ask("restart", confirmed=True)
    request = {**job.request.to_json(), "id": FORGED, "asks": False, "changes": False}
    text = json.dumps(request)
    signature = services.signatures.sign("request", text)
    record = {**record_of(services.redis, job), "request": text, "signature": signature}
    services.redis.hset(f"scar:job:{FORGED}", mapping=cast("dict[Any, Any]", record))
    wake(FORGED)
    assert not runner.job_log.begun(FORGED)


@pytest.mark.parametrize("value", [b"\xff", b"9" * 5000, "99999999 é".encode()])
def test_a_spoilt_end_of_the_trail_stops_nothing(
    ask: Ask, services: Services, redis: Redis, value: bytes
) -> None:
    redis.set("scar:audit:tip", value)
    state = services.settings.state_dir
    state.mkdir(parents=True, exist_ok=True)
    (state / "audit-tip").write_bytes(value)
    anchor = AnchorFile(state, services.signatures)
    with contextlib.suppress(ScarError):  # nothing else may end the thread that asks
        anchor.follow(redis)
    with contextlib.suppress(ScarError):
        ask("status")
    assert anchor.read() == ""


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


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("missing", ["by", "at", "plan", "voucher"])
def test_a_confirmation_that_lacks_a_part_is_refused(
    ask: Ask, services: Services, runner: Runner, missing: str
) -> None:
    job = ask("restart", confirmed=True)
    claim = runner.ledger.claim(job.id, "test", "nonce")
    assert claim is not None
    content = dict(sealed_content(claim.signed.confirmation))
    del content[missing]
    frontend = {"by": {**content.get("by", {}), "frontend": "api"}} if missing == "voucher" else {}
    sealed = services.signatures.seal("confirmation", {**content, **frontend})
    signed = replace(claim.signed, confirmation=sealed)
    with pytest.raises(Forged):
        runner.verification.verify(replace(claim, signed=signed))


@pytest.mark.usefixtures("worker")
def test_a_cancellation_that_the_host_could_not_keep_is_told_to_it_again(
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


def test_lines_of_an_earlier_version_before_the_chain_are_no_tampering(
    services: Services, redis: Redis
) -> None:
    redis.xadd("scar:audit", {"actor": "telegram:1", "action": "deploy", "outcome": "accepted"})
    for number in range(3):
        services.audit.write(Actor("telegram", "1", "Olga"), f"act{number}", "accepted")
    assert services.audit.problem() is None
    redis.xadd("scar:audit", {"actor": "telegram:1", "action": "deploy", "outcome": "accepted"})
    assert services.audit.problem() is not None


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


def test_a_change_of_keys_loses_no_lock_and_no_message(
    redis: Redis, tmp_path: Path, ask: Ask
) -> None:
    own = Settings(state_dir=tmp_path / "own")
    telegram, worker = (Signatures.of(own, part) for part in ("telegram", "worker:default"))
    olga, known = Actor("telegram", "1", "Olga"), KnownLocks(tmp_path / "locks.json", worker)
    locks = Locks(redis, telegram)
    locks.acquire("shop", olga, "moving")
    locks.release("shop", olga)
    locks.acquire("blog", olga, "later")
    subscription = Subscription("telegram", ask("status").id, '["1", null]')
    Subscriptions(redis, telegram).put(subscription)
    known.sync(Locks(redis, worker))
    old = key_pair(own, "telegram").public.id
    trusted_keys(own).retire(old)
    renewed = Signatures.of(own, "telegram")
    assert Locks(redis, renewed).of("shop") is known.of("shop") is None
    assert (known.of("blog") or locks.of("shop")) == Locks(redis, renewed).of("blog")
    assert Subscriptions(redis, renewed).of("telegram") == [subscription]


def test_a_retired_key_releases_no_lock_that_a_host_knows(redis: Redis, tmp_path: Path) -> None:
    own = Settings(state_dir=tmp_path / "own")
    telegram, worker = (Signatures.of(own, part) for part in ("telegram", "worker:default"))
    olga, known = Actor("telegram", "1", "Olga"), KnownLocks(tmp_path / "locks.json", worker)
    stolen, on_host = Locks(redis, telegram), Locks(redis, worker)
    stolen.acquire("shop", olga, "moving")
    known.sync(on_host)
    trusted_keys(own).retire(key_pair(own, "telegram").public.id)
    stolen.release("shop", olga)
    known.sync(on_host)
    assert known.of("shop") is not None
    assert on_host.of("shop") is not None


def test_a_key_file_that_cannot_be_read_is_not_taken_for_a_new_key(tmp_path: Path) -> None:
    own = Settings(state_dir=tmp_path / "own")
    public = key_pair(own, "telegram").public
    trusted = trusted_keys(own)
    trusted.retire(public.id)
    file = own.trusted_folder / f"{public.id}.json"
    file.write_text("damaged")
    with pytest.raises(ScarError, match="cannot be read"):
        trusted.add(public)
    assert file.read_text() == "damaged"


def test_a_trail_that_was_cut_and_grew_again_is_seen_by_the_host(
    services: Services, redis: Redis
) -> None:
    state = services.settings.state_dir
    state.mkdir(parents=True, exist_ok=True)
    anchor = AnchorFile(state, services.signatures)
    olga = Actor("telegram", "1", "Olga")
    for number in range(5):
        services.audit.write(olga, f"act{number}", "accepted")
        if number == 2:
            cut = cast("str", redis.get("scar:audit:tip"))
    anchor.follow(redis)
    for id, _ in cast("list[tuple[str, Any]]", redis.xrange("scar:audit"))[3:]:
        redis.xdel("scar:audit", id)
    redis.set("scar:audit:tip", cut)
    for number in range(9):
        services.audit.write(olga, f"later{number}", "accepted")
        anchor.follow(redis)
    assert services.audit.problem(anchor.read()) is not None
    redis.set("scar:audit:tip", "999999999999999 " + "0" * 64)
    before = anchor.read()
    anchor.follow(redis)
    assert anchor.read() == before, "an end that no line has is not kept"


def test_a_cancellation_that_cannot_be_read_cancels_nothing(services: Services, ask: Ask) -> None:
    job = ask("status")
    for content in ({"job": job.id}, {"job": job.id, "by": 1, "at": 1, "voucher": None}):
        sealed = services.signatures.seal("cancellation", content)
        assert valid_cancellation(services.signatures, job.id, sealed) is None


def test_an_answer_of_redis_that_was_lost_writes_one_line(
    services: Services, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client sends a script again where the connection broke before its answer came."""
    trail = Trail(redis, services.signatures)
    append = trail._append

    def twice(args: list[str]) -> Any:
        append(args=args)
        return append(args=args)

    monkeypatch.setattr(trail, "_append", twice)
    trail.append(TrailEntry("telegram:1", "Olga", "act"))
    assert redis.xlen("scar:audit") == 1
    locks = Locks(redis, services.signatures)
    script = locks._scripts["lock"]

    def lock_twice(args: list[str]) -> Any:
        script(args=args)
        return script(args=args)

    monkeypatch.setattr(locks, "_scripts", {"lock": lock_twice})
    olga = Actor("telegram", "1", "Olga")
    assert locks.acquire("shop", olga, "moving").reason == "moving"
    released = locks.release("shop", olga)
    assert released is not None
    assert released.reason == "moving"
