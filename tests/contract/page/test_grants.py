"""A grant lets the API ask for one person who is signed in to the page, and for nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from redis import Redis

from scar.access import Actor
from scar.bootstrap import Services
from scar.commands import job_commands
from scar.errors import ScarError
from scar.jobs.grant import SESSION_SECONDS
from scar.jobs.record import Job
from scar.jobs.sign_in_links import SignInLinks
from scar.jobs.signing import WAKEUP
from scar.json_object import JsonObject
from tests.support.acting_worker import ActingWorker
from workers.runner import Runner

OLGA = Actor("telegram", "1", "Olga")
HOUR = 3600.0


@pytest.fixture
def grant(bot: Services) -> str:
    """What the bot has signed for Olga, now."""
    links = SignInLinks(bot.redis, bot.signatures)
    return links.take(links.issue(OLGA))[1]


@pytest.fixture
def ask(services: Services, worker: ActingWorker) -> Callable[..., Job]:  # noqa: ARG001
    """`ask(OLGA, grant, at=...)`: the API makes a job, as it says at a time."""

    def submit(actor: Actor, grant: str, *, late: float = 0.0) -> Job:
        clock = services.job_service.clock
        service = replace(services.job_service, clock=lambda: clock() + late)
        voucher: JsonObject = {"grant": grant}
        shop = services.projects.get("shop")
        return service.submit(actor, job_commands()["status"], shop, {}, voucher=voucher)

    return submit


def test_a_grant_is_for_one_person_and_twelve_hours(ask: Callable[..., Job], grant: str) -> None:
    assert ask(OLGA, grant).request.requested_by == OLGA
    with pytest.raises(ScarError, match="tampered"):
        ask(Actor("telegram", "9", "The boss"), grant)
    with pytest.raises(ScarError, match="tampered"):
        ask(OLGA, grant.replace("Olga", "Eva"))
    for late in (SESSION_SECONDS + HOUR, -HOUR):
        with pytest.raises(ScarError, match="tampered"):
            ask(OLGA, grant, late=late)


def test_the_api_cannot_sign_a_grant(ask: Callable[..., Job], services: Services) -> None:
    with pytest.raises(ScarError, match="makes no link"):
        SignInLinks(services.redis, services.signatures).issue(OLGA)
    own = {"actor": OLGA.to_json(), "link": "", "at": 0, "expires": 10**15}
    with pytest.raises(ScarError, match="tampered"):
        ask(OLGA, services.signatures.seal("grant", own))


def test_a_worker_refuses_a_backdated_request(
    services: Services,
    bot: Services,
    redis: Redis,
    worker: ActingWorker,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Expired grants are valid for earlier requests, so a hostile API could backdate a request."""
    monkeypatch.setattr("workers.runner.connect", lambda *_: redis)
    runner = Runner.of(services.settings)
    past = services.job_service.clock() - 2 * SESSION_SECONDS
    links = SignInLinks(bot.redis, bot.signatures, clock=lambda: past)
    _, expired = links.take(links.issue(OLGA))
    service = replace(services.job_service, clock=lambda: past + HOUR)
    shop, restart = services.projects.get("shop"), job_commands()["restart"]
    job = service.submit(OLGA, restart, shop, {}, confirmed=True, voucher={"grant": expired})
    record = f"scar:job:{job.id}"
    request = json.loads(str(redis.hget(record, "request")))
    text = json.dumps({**request, "expires_at": request["expires_at"] + 10**9})
    signature = services.signatures.sign("request", text)
    redis.hset(record, mapping={"request": text, "signature": signature})
    runner.run(job.id, services.signatures.sign(WAKEUP, f"default/{job.id}"))
    refused = services.job_service.get(job.id)
    assert refused.error is not None
    assert "too old" in refused.error.message
    assert not runner.job_log.begun(job.id)
