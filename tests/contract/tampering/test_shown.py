"""Nothing on Redis is shown as true without the signature of the part that may write it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from scar.access import Actor
from scar.bootstrap import Services
from scar.chat.conversation import Conversation
from scar.cli.trail import verify_trail
from scar.client import ApiClient
from scar.errors import ScarError
from scar.jobs.proofs import JobEnd
from scar.jobs.record import JobState
from scar.jobs.record_reader import RecordReader
from scar.jobs.signing import Signatures
from scar.jobs.subscriptions import NEW_MESSAGE, Subscription
from scar.keys.key_store import key_pair, trusted_keys
from scar.settings import Settings
from tests.contract.tampering.records import (
    TAMPERED,
    Ask,
    key_of,
    put_back,
    record_of,
)
from tests.support.acting_worker import ActingWorker
from tests.support.letterbox import LetterBox


def test_a_plan_copied_from_another_job_is_not_shown_as_a_question(
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


@pytest.mark.parametrize("place", [5, None, ["x"], "5", "[" * 100_000])
def test_a_malformed_subscription_that_another_part_has_signed_ends_no_front_end(
    services: Services, redis: Redis, ask: Ask, place: object
) -> None:
    async def resume() -> None:
        conversation = Conversation(
            LetterBox("telegram"), services, ApiClient("http://127.0.0.1:1", lambda *_: "")
        )
        await conversation.resume()
        await conversation.close()

    job = ask("status")
    content = {"front_end": "telegram", "job_id": job.id, "place": place, "message": NEW_MESSAGE}
    github = Signatures.of(services.settings, "github")
    sealed = github.seal("subscription", content)
    redis.hset("scar:watches:telegram", f"{job.id} {place}", sealed)
    asyncio.run(resume())
    assert services.subscriptions.of("telegram") == []


@pytest.mark.usefixtures("worker")
def test_a_key_that_is_missing_here_is_named_at_once(
    ask: Ask, redis: Redis, tmp_path: Path
) -> None:
    own = Settings(state_dir=tmp_path / "own")
    telegram = Signatures.of(own, "telegram")
    job = ask("status")
    signature = telegram.sign("request", record_of(redis, job)["request"])
    redis.hset(key_of(job), "signature", signature)
    here = RecordReader(redis, telegram)
    waiting = here.get(job.id)
    assert waiting is not None
    assert waiting.error is not None
    assert waiting.error.message == "Waiting: no key of worker:default is known here"
    assert "scar keys add worker:default KEY" in waiting.error.hint
    assert [event.data.get("error", {}) for event in here.events(job.id)] == [
        waiting.error.to_json()
    ]
    Signatures.of(own, "worker:default")
    assert (here.get(job.id) or job).error is None
    trusted_keys(own).retire(key_pair(own, "worker:default").public.id)
    assert (here.get(job.id) or job).error is not None


def test_verifying_the_audit_trail_needs_no_key_of_its_own(
    services: Services, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scar.cli.trail.connect", lambda *_: redis)
    own = Settings(state_dir=tmp_path / "own", trusted_keys=tmp_path / "trusted")
    verify_trail(own)
    services.audit.write(Actor("telegram", "1", "Olga"), "act", "accepted")
    with pytest.raises(ScarError, match="its key is not known here"):
        verify_trail(own)
    assert not (tmp_path / "own").exists()
    assert not (tmp_path / "trusted").exists()
