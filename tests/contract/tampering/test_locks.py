"""Locks set by people stay in force, whatever is written to Redis."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from scar.access import Actor, Role
from scar.bootstrap import Services
from scar.commands import job_commands
from scar.errors import ScarError
from scar.jobs.locks import EVERYTHING, Locks
from scar.jobs.signing import Signatures, sealed_content
from scar.jobs.subscriptions import Subscription, Subscriptions
from scar.keys.key_store import key_pair, trusted_keys
from scar.projects import Project
from scar.settings import Settings
from tests.contract.tampering.records import (
    TAMPERED,
    Ask,
    anybody,
    key_of,
    record_of,
)
from tests.support.keys import signatures_of
from workers.runner import Runner
from workers.runtime.roles import Roles
from workers.runtime.verification import LOCK_NO_PROJECT
from workers.state.known_locks import KnownLocks


def test_a_lock_that_is_removed_or_forged_on_redis_holds(
    ask: Ask, services: Services, redis: Redis
) -> None:
    locks = Locks(redis, services.signatures)
    known = KnownLocks(services.settings.state_dir / "locks.json", services.signatures, anybody)
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


def test_a_lock_record_copied_from_another_project_is_not_accepted(
    services: Services, redis: Redis
) -> None:
    locks = Locks(redis, services.signatures)
    locks.acquire("blog", Actor("telegram", "1", "Olga"), "of the blog")
    redis.hset("scar:locks", EVERYTHING, cast("str", redis.hget("scar:locks", "blog")))
    lock = locks.of("shop")
    assert lock is not None
    assert TAMPERED in lock.reason


@pytest.mark.usefixtures("worker")
def test_a_host_does_not_run_a_job_for_a_project_that_a_person_has_locked(
    ask: Ask, services: Services, redis: Redis, runner: Runner, wake: Callable[[str], None]
) -> None:
    locks = Locks(redis, services.signatures)
    known = KnownLocks(services.settings.state_dir / "locks.json", services.signatures, anybody)
    locks.acquire("shop", Actor("telegram", "1", "Olga"), "moving the database")
    known.sync(locks)
    redis.delete("scar:locks")
    job = ask("restart", confirmed=True)
    wake(job.id)
    assert not runner.job_log.begun(job.id)
    refused = services.job_service.get(job.id)
    assert refused.error is not None
    assert "moving the database" in refused.error.message


def test_a_request_that_says_that_it_locks_nothing_is_refused_by_a_lock(
    ask: Ask, services: Services, redis: Redis, runner: Runner, wake: Callable[[str], None]
) -> None:
    locks = Locks(redis, services.signatures)
    known = KnownLocks(services.settings.state_dir / "locks.json", services.signatures, anybody)
    job = ask("restart", confirmed=True)
    locks.acquire("shop", Actor("telegram", "1", "Olga"), "moving the database")
    known.sync(locks)
    text = json.dumps({**job.request.to_json(), "holds": []})
    changes = {"request": text, "signature": services.signatures.sign("request", text)}
    sealed = sealed_content(record_of(redis, job)["confirmation"])
    later = {**sealed, "at": sealed["at"] + 1000}
    changes["confirmation"] = services.signatures.seal("confirmation", later)
    redis.hset(key_of(job), mapping=cast("dict[Any, Any]", changes))
    wake(job.id)
    assert not runner.job_log.begun(job.id)
    refused = services.job_service.get(job.id)
    assert refused.error is not None
    assert "moving the database" in refused.error.message


def test_the_worker_knows_every_kind_of_job_that_locks_no_project() -> None:
    project = Project("shop", Path("/w"), Path("/p"), "shop", ("web",), "web")
    changing = [command for command in job_commands().values() if command.changes]
    others = {c.kind for c in changing if "shop" not in c.locks(project, {"name": "x"})}
    assert others == LOCK_NO_PROJECT


def test_a_change_of_keys_loses_no_lock_and_no_message(
    redis: Redis, tmp_path: Path, ask: Ask
) -> None:
    own = Settings(state_dir=tmp_path / "own")
    telegram, worker = (Signatures.of(own, part) for part in ("telegram", "worker:default"))
    olga, known = (
        Actor("telegram", "1", "Olga"),
        KnownLocks(tmp_path / "locks.json", worker, anybody),
    )
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
    olga, known = (
        Actor("telegram", "1", "Olga"),
        KnownLocks(tmp_path / "locks.json", worker, anybody),
    )
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


def test_a_host_checks_who_sets_and_releases_a_lock(
    services: Services, redis: Redis, roles: Roles
) -> None:
    locks = Locks(redis, services.signatures)
    path = services.settings.state_dir / "locks.json"
    known = KnownLocks(path, services.signatures, roles.may_lock)
    olga, eve = Actor("telegram", "1", "Olga"), Actor("telegram", "77", "Eve", Role.ADMIN)
    locks.acquire("shop", olga, "moving")
    locks.acquire(EVERYTHING, olga, "an operator locks one project")
    known.sync(locks)
    lock = known.of("shop")
    assert lock is not None
    assert lock.reason == "moving"
    locks.release("shop", eve)
    known.sync(locks)
    assert known.of("shop") == lock
    locks.acquire("shop", olga, "again")
    locks.release("shop", olga)
    known.sync(locks)
    assert known.of("shop") is None
