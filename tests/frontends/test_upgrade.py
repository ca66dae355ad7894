"""Open jobs and messages of an earlier version, and records that no version has written."""

from __future__ import annotations

import asyncio
import json

import pytest

from scar.chat.front_end import Place
from scar.errors import ScarError
from scar.jobs.record import Job
from scar.jobs.request import Request
from scar.jobs.subscriptions import Subscription
from tests.frontends.test_letterbox import opened, operator, run, until
from tests.support.letterbox import LetterBox
from tests.support.telegram_scene import TelegramScene


def asked_before_the_upgrade(scene: TelegramScene, request: Request) -> None:
    """Makes the job's record what an earlier version would have written."""
    redis, key = scene.services.redis, f"scar:job:{request.id}"
    written = request.to_json()
    del written["holds"], written["respects"]
    text = json.dumps(written)
    signature = scene.services.signatures.sign("request", text)
    redis.hset(key, mapping={"request": text, "signature": signature})
    redis.hdel(key, "holds", "respects")


def a_restart(scene: TelegramScene) -> Job:
    services = scene.services
    command, project = services.job_service.commands["restart"], services.projects.get("shop")
    return services.job_service.submit(operator(scene), command, project, {})


def test_a_question_of_an_earlier_version_locks_its_project_when_answered(
    scene: TelegramScene,
) -> None:
    job_service, ledger = scene.services.job_service, scene.services.ledger
    job = a_restart(scene)
    asked_before_the_upgrade(scene, job.request)
    scene.worker.plan(job.id)
    job_service.confirm(job.request.requested_by, job.id, "yes", shown="a" * 64)
    holder = ledger.lock_holder("shop")
    assert holder is not None
    assert holder.id == job.id
    assert holder.request.locks == ("shop",)
    later = a_restart(scene)
    scene.worker.plan(later.id)
    with pytest.raises(ScarError, match="is held by restart"):
        job_service.confirm(later.request.requested_by, later.id, "yes", shown="a" * 64)
    job_service.cancel(later.request.requested_by, later.id)
    scene.worker.finish(job.id, {"downtime_seconds": 0.1})
    assert ledger.lock_holder("shop") is None
    assert not scene.services.redis.exists("scar:hold:shop")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nonsense", "nonsense"),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "{}"),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV here", "{}"),
        (f"01ARZ3NDEKTSV4RRFFQ69G5FAV {Place('box').key}", "not JSON"),
    ],
)
def test_a_subscription_that_cannot_be_read_is_dropped(
    scene: TelegramScene, name: str, text: str
) -> None:
    async def test() -> None:
        box, actor = LetterBox(), operator(scene)
        scene.services.redis.hset("scar:watches:console", name, text)
        async with opened(scene, box, actor):
            job = await asyncio.to_thread(a_restart, scene)
            subscription = Subscription("console", job.id, Place("box").key)
            scene.services.subscriptions.put(subscription)
            await until(box, "Looking at what would change")
            await asyncio.to_thread(
                scene.services.job_service.cancel, job.request.requested_by, job.id
            )
            await until(box, "❌")
        assert name not in scene.services.redis.hkeys("scar:watches:console")

    run(test)


def test_a_request_signed_by_an_earlier_version_locks_the_resources_it_names() -> None:
    written = {
        **{"id": "01J", "kind": "deploy", "project": "shop", "host": "default", "args": {}},
        **{"asks": True, "changes": True, "created_at": 1, "expires_at": 2},
        "requested_by": {"frontend": "api", "id": "ci", "name": "ci", "role": "operator"},
        **{"holds": ["shop"], "respects": ["workspace:/w"]},
    }
    request = Request.from_json(written)
    assert request.locks == ("shop",)
    assert request.requires_free == ("workspace:/w",)
