"""What a person locks, what is written into the audit trail, what a menu's button stands for."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from scar.access import Actor
from scar.bootstrap import Services
from scar.chat.front_end import IncomingMessage, Place
from scar.chat.menus import Menus
from scar.errors import ScarError
from scar.jobs.locks import EVERYTHING, Locks
from scar.jobs.record import Job
from tests.support.acting_worker import ActingWorker
from workers.state.known_locks import KnownLocks

OLGA, VERA = Actor("telegram", "olga", "Olga"), Actor("telegram", "vera", "Vera")
HERE, ELSEWHERE = Place("box"), Place("other")
Ask = Callable[..., Job]


@pytest.mark.parametrize("what", ["shop", EVERYTHING])
def test_a_locked_project_refuses_write_jobs_but_not_read_jobs(
    services: Services, ask: Ask, what: str
) -> None:
    locks = Locks(services.redis, services.signatures)
    locks.acquire(what, OLGA, "moving the database")
    with pytest.raises(ScarError, match=r"locked by Olga .*moving the database"):
        ask("restart", confirmed=True)
    assert ask("status").id
    with pytest.raises(ScarError, match="moving the database"):
        locks.acquire(what, VERA, "me too")
    released = locks.release(what, OLGA)
    assert released is not None
    assert released.reason == "moving the database"
    assert locks.release(what, OLGA) is None
    assert ask("restart", confirmed=True).id


def test_a_question_cannot_be_confirmed_once_the_project_is_locked(
    services: Services, ask: Ask, worker: ActingWorker
) -> None:
    job = ask("restart")
    worker.plan(job.id, "a" * 64)
    Locks(services.redis, services.signatures).acquire("shop", OLGA, "later")
    with pytest.raises(ScarError, match="locked by Olga"):
        services.job_service.confirm(job.request.requested_by, job.id, "yes", shown="a" * 64)


def test_the_audit_trail_lists_the_newest_first_and_page_by_page(services: Services) -> None:
    for number in range(5):
        services.audit.write(OLGA, f"act{number}", "accepted", project="shop")
    entries = [*services.audit.recent(batch=2)]
    assert [entry.action for entry in entries] == ["act4", "act3", "act2", "act1", "act0"]
    assert entries[0].actor == "telegram:olga"
    older = [*services.audit.recent(before=entries[2].id)]
    assert [entry.action for entry in older] == ["act1", "act0"]


def test_every_request_is_in_the_audit_trail(services: Services, ask: Ask) -> None:
    job = ask("restart", confirmed=True)
    with pytest.raises(ScarError):
        ask("restart", confirmed=True)
    refused, accepted = [*services.audit.recent()]
    assert (refused.action, refused.outcome) == ("restart", "refused: busy")
    assert (accepted.job, accepted.project) == (job.id, "shop")


def tap(menus: Menus, tag: str, actor: Actor, place: Place, answer: str) -> str | None:
    return menus.take(IncomingMessage(actor, place, answer, time.time(), tag=tag))


def test_a_menu_is_answered_once_and_only_by_the_person_it_was_shown_to(
    services: Services, redis: Redis
) -> None:
    menus = Menus(redis, services.signatures)
    tag = menus.offer(OLGA, HERE, ["/docker_status shop", "/docker_status blog"])
    assert tap(menus, tag, VERA, HERE, "c1") is None
    assert tap(menus, tag, OLGA, ELSEWHERE, "c1") is None
    assert tap(menus, tag, OLGA, HERE, "c1") == "/docker_status blog"
    assert tap(menus, tag, OLGA, HERE, "c1") is None


def test_a_menu_on_redis_without_a_valid_signature_is_ignored(
    services: Services, redis: Redis
) -> None:
    menus = Menus(redis, services.signatures)
    tag = menus.offer(OLGA, HERE, ["/docker_status shop"])
    redis.set(f"scar:choice:{tag.rstrip(':')}", "forged")
    assert tap(menus, tag, OLGA, HERE, "c0") is None


def test_a_lock_is_released_by_a_front_end_whose_clock_is_behind(
    services: Services, tmp_path: Path
) -> None:
    now = [2000.0]
    locks = Locks(services.redis, services.signatures, lambda: now[0])
    known = KnownLocks(tmp_path / "locks.json", services.signatures, lambda *_: True)
    locks.acquire("shop", OLGA, "later")
    known.sync(locks)
    now[0] = 1000.0
    assert locks.release("shop", OLGA) is not None
    known.sync(locks)
    assert locks.of("shop") is known.of("shop") is None
