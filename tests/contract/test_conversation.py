"""A front-end that is nothing but a letter box: ask, confirm, follow, be taken up again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

from scar.access import Actor
from scar.bootstrap import Services
from scar.chat.conversation import Conversation
from scar.client import ApiClient, service_token
from scar.document import Document
from tests.support.acting_worker import ActingWorker
from tests.support.letterbox import LetterBox, Writer
from tests.support.waiting import PATIENCE, eventually


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), PATIENCE))


@contextlib.asynccontextmanager
async def opened(
    services: Services, api_url: str, box: LetterBox, actor: Actor
) -> AsyncIterator[Writer]:
    """Open the box, with somebody at it."""

    def token() -> str:
        return service_token(services.signatures, actor, time.time())

    conversation = Conversation(box, services, ApiClient(api_url, token))
    await conversation.resume()
    try:
        yield Writer(conversation, actor)
    finally:
        await conversation.close()


def question_is_kept(services: Services) -> bool:
    """Return whether the open question is on Redis, where the next run finds it."""
    kept = services.redis.hvals("scar:watches:letterbox")
    return any(json.loads(text).get("asked") for text in cast("list[str]", kept))


async def sheet_with(box: LetterBox, words: str) -> tuple[str, Document]:
    """Return the sheet that shows `words` now, once there is one."""
    while True:
        for reference, versions in box.sheets.items():
            if words in versions[-1].text:
                return reference, versions[-1]
        await asyncio.sleep(0.01)


def test_a_job_is_requested_confirmed_and_shown_in_one_message(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    async def test() -> None:
        box = LetterBox()
        async with opened(services, api_url, box, operator) as writer:
            await writer.says("/docker_restart")
            job = await asyncio.to_thread(worker.next_job, "restart", operator.id)
            await asyncio.to_thread(worker.plan, job.id)
            asked, document = await sheet_with(box, "Type `yes` to confirm")
            assert [button.answer for button in document.buttons] == ["yes", "no"]
            await writer.says("yes")
            await asyncio.to_thread(worker.finish, job.id, {"downtime_seconds": 0.2})
            ended, document = await sheet_with(box, "Production is live")
            assert ended == asked
            assert not document.buttons
            assert [*box.sheets] == [asked]
            await writer.conversation.settle()
        assert not services.redis.hgetall("scar:watches:letterbox")

    run(test)


def test_a_restarted_front_end_continues_an_unfinished_message(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    async def test() -> None:
        box = LetterBox()
        async with opened(services, api_url, box, operator) as writer:
            await writer.says("/docker_restart")
            job = await asyncio.to_thread(worker.next_job, "restart", operator.id)
            await asyncio.to_thread(worker.plan, job.id)
            asked, _ = await sheet_with(box, "Type `yes` to confirm")
            await asyncio.to_thread(eventually, lambda: question_is_kept(services))
        async with opened(services, api_url, box, operator) as writer:
            await writer.taps("yes", box.tags[asked])
            await asyncio.to_thread(worker.finish, job.id, {"downtime_seconds": None})
            assert (await sheet_with(box, "Production is live"))[0] == asked

    run(test)
