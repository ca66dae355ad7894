"""A front-end that is nothing but a letter box: ask, confirm, follow, be taken up again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from scar.access import Actor
from scar.bootstrap import Services
from scar.chat.conversation import Conversation
from scar.client import ApiClient
from scar.document import Document
from tests.support.acting_worker import ActingWorker
from tests.support.keys import front_end_token
from tests.support.letterbox import LetterBox, Writer
from tests.support.waiting import PATIENCE, eventually


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), PATIENCE))


@contextlib.asynccontextmanager
async def opened(
    services: Services, api_url: str, box: LetterBox, actor: Actor
) -> AsyncIterator[Writer]:
    """Open the box, with somebody at it."""
    token = front_end_token(services.settings, actor)
    conversation = Conversation(box, services, ApiClient(api_url, token))
    await conversation.resume()
    try:
        yield Writer(conversation, actor)
    finally:
        await conversation.close()


def question_is_kept(services: Services) -> bool:
    """Return whether the open question is on Redis, where the next run finds it."""
    return any(json.loads(s.message).get("asked") for s in services.subscriptions.of("telegram"))


async def sheet_with(box: LetterBox, words: str) -> tuple[str, Document]:
    """Return the sheet that shows `words` now, once there is one."""
    while True:
        for reference, versions in box.sheets.items():
            if words in versions[-1].text:
                return reference, versions[-1]
        await asyncio.sleep(0.01)


def test_ask_confirm_and_follow_in_one_message(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    async def test() -> None:
        box = LetterBox("telegram")
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
        assert not services.redis.hgetall("scar:watches:telegram")

    run(test)


def test_a_message_is_taken_up_by_the_next_run(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    async def test() -> None:
        box = LetterBox("telegram")
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
