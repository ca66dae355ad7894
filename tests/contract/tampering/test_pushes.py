"""What was pushed is deployed once, and only what GitHub says was pushed."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import httpx
import pytest
from redis import Redis

from scar.access import Actor
from scar.bootstrap import Services, bootstrap
from scar.commands import job_commands
from scar.errors import ScarError
from scar.frontends.github.accounts import Accounts
from scar.frontends.github.client import GitHub
from scar.frontends.github.deliveries import Push
from scar.frontends.github.push_deploys import PushDeploys
from scar.jobs.github_delivery import from_letter, to_letter
from scar.jobs.record import Job
from scar.json_object import JsonObject
from scar.settings import Settings
from workers.runner import Runner

PUSH = Push(
    id="1-0",
    project="shop",
    repository="ada/shop",
    url="https://github.com/ada/shop",
    branch="main",
    commit="c" * 40,
    login="ada",
    pushed_at=1_700_000_000.0,
)
LATER = replace(PUSH, pushed_at=1_700_000_060.0)


@pytest.fixture
def deploy(services: Services) -> Callable[..., Job]:
    """`deploy(push)`: submit its job as the front-end does."""
    github = bootstrap(services.settings, "github")

    def submit(push: Push) -> Job:
        return github.job_service.submit(
            Actor("schedule", "push", "a push"),
            job_commands()["deploy"],
            services.projects.get("shop"),
            {"push": {"repository": push.repository, "branch": "main", "commit": push.commit}},
            confirmed=True,
            idempotency_key=push.digest.hex(),
            entropy=push.digest,
        )

    return submit


@pytest.mark.usefixtures("worker")
def test_a_push_that_is_put_back_is_not_deployed_again(
    deploy: Callable[[Push], Job],
    services: Services,
    redis: Redis,
    runner: Runner,
    wake: Callable[[str], None],
) -> None:
    first = deploy(PUSH)
    assert deploy(PUSH).id == first.id
    wake(first.id)
    assert runner.job_log.begun(first.id)
    redis.flushall()
    again = deploy(PUSH)
    assert again.id != first.id
    wake(again.id)
    refused = services.job_service.get(again.id)
    assert refused.error is not None
    assert f"taken up here before, as job {first.id}" in refused.error.message
    assert not runner.job_log.begun(again.id)
    later = deploy(LATER)
    wake(later.id)
    assert runner.job_log.begun(later.id), "who pushes the same again may have reset the branch"


SECRET = "what GitHub and SCAR know"


def delivered(event: str, payload: JsonObject, secret: str = SECRET) -> JsonObject:
    """A letter with a delivery that is signed with the webhook's secret."""
    body = json.dumps(payload).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return to_letter(event, body, f"sha256={signature}")


def test_a_delivery_without_githubs_signature_is_ignored() -> None:
    payload = {
        "ref": "refs/heads/main",
        "after": "c" * 40,
        "repository": {"full_name": "ada/shop", "html_url": "https://github.com/ada/shop"},
        "sender": {"login": "ada"},
    }
    letter = delivered("push", payload)
    read = from_letter(letter, SECRET)
    assert read is not None
    assert read["commit"] == "c" * 40
    other = delivered("push", {**payload, "after": "d" * 40}, "a guess")
    for made_up in (
        other,
        {**letter, "body": other["body"]},
        {**letter, "signature": ""},
        {**letter, "body": "no base64"},
        {**letter, "body": 5},
        {**payload, "event": "push"},
        {},
    ):
        assert from_letter(made_up, SECRET) is None


def test_a_login_that_somebody_else_has_registered_is_not_its_former_owner(
    services: Services, redis: Redis
) -> None:
    github = bootstrap(services.settings, "github")
    accounts = Accounts(redis, github.signatures)
    accounts.require_same("Ada", 7)
    accounts.require_same("ada", 7)
    with pytest.raises(ScarError, match="belongs to another account"):
        accounts.require_same("ada", 8)
    forged = services.signatures.seal("account", {"login": "ada", "account": 8})
    for sealed in (forged, "x", github.signatures.seal("account", {"login": "bob", "account": 8})):
        redis.hset("scar:github:accounts", "ada", sealed)
        assert accounts._known("ada") is None
    redis.delete("scar:github:accounts")
    accounts.require_same("ada", 7)
    accounts.forget_others(["ADA"])
    with pytest.raises(ScarError, match="belongs to another account"):
        accounts.require_same("ada", 8)
    accounts.forget_others([])
    accounts.require_same("ada", 8)


def test_a_push_that_github_does_not_have_is_not_deployed(
    services: Services, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    projects = json.loads(services.settings.projects_file.read_text())
    projects["shop"]["auto_deploy"] = {"branch": "main"}
    services.settings.projects_file.write_text(json.dumps(projects))
    github, told = bootstrap(services.settings, "github"), []
    heads = {"sha": "d" * 40}

    def answer(request: httpx.Request) -> httpx.Response:
        if "/statuses/" in request.url.path:
            told.append(json.loads(request.content)["state"])
            return httpx.Response(201, json={})
        if request.url.path.endswith("/deployments"):
            return httpx.Response(403, json={"message": "Resource not accessible"})
        assert request.url.path.endswith("/repos/ada/shop/branches/main")
        return httpx.Response(200, json={"commit": heads})

    async def deployed() -> list[str]:
        http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        settings = Settings.load({"SCAR_GITHUB_TOKEN": "a-token-of-nobody"}, dotenv=None)
        pushes = PushDeploys(GitHub(settings, http), github)
        await pushes.note(PUSH.id, {**PUSH.to_json(), "event": "push"})
        ((field, sealed),) = cast("dict[str, str]", redis.hgetall("scar:github:pushes")).items()
        assert await pushes._deploy(field, sealed) > 0, "GitHub may not have it everywhere yet"
        assert redis.hlen("scar:github:pushes") == 1
        monkeypatch.setattr("scar.frontends.github.push_deploys._HEAD_WAITED_SECONDS", 0)
        assert await pushes._deploy(field, sealed) == 0
        assert redis.hlen("scar:github:pushes") == 0
        assert [*services.ledger.recent()] == []
        heads["sha"] = PUSH.commit
        await pushes.note(PUSH.id, {**PUSH.to_json(), "event": "push"})
        await pushes._deploy(field, sealed)
        return [job.request.kind for job in services.ledger.recent()]

    assert asyncio.run(deployed()) == ["deploy"]
    assert told == ["pending", "error", "pending", "pending"]
