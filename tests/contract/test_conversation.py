"""A front-end that is nothing but a letter box: ask, confirm, follow, be taken up again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from scar.access import Actor
from scar.bootstrap import Services
from scar.chat.conversation import Conversation
from scar.client import ApiClient
from scar.document import Document
from scar.jobs.event import Event
from scar.jobs.record import JobState
from scar.jobs.step import Step, StepState
from tests.support.acting_worker import ActingWorker, status_of
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


def test_a_job_is_requested_confirmed_and_shown_in_one_message(
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
            assert [button.label for button in document.buttons] == ["🔁 Again"]
            assert [*box.sheets] == [asked]
            await writer.conversation.settle()
        assert not services.redis.hgetall("scar:watches:telegram")

    run(test)


def test_a_restarted_front_end_continues_an_unfinished_message(
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


def test_a_follow_names_its_container_and_stops_by_its_button_or_by_unfollow(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    def begin() -> str:
        job = worker.next_job("follow", operator.id)
        claim = worker.claim(job.id)
        claim.step(Step("following", "Following", StepState.RUNNING, 1, detail="web"))
        claim.lines("x" * 2990, "whole line", "newest")
        return job.id

    async def test() -> None:
        box = LetterBox()
        async with opened(services, api_url, box, operator) as writer:
            await writer.says("/docker_follow web")
            first = await asyncio.to_thread(begin)
            sheet, shown = await sheet_with(box, "newest")
            assert shown.text == "📜 web - following\nwhole line\nnewest"
            assert [button.label for button in shown.buttons] == ["⏹️ Stop", "📄 Older lines"]
            assert shown.buttons[1].command == "/docker_logs shop/web 1000"
            await writer.taps("stop", box.tags[sheet])
            await asyncio.to_thread(eventually, lambda: cancelled(services, first))
            await writer.says("/docker_follow")
            second = await asyncio.to_thread(begin)
            await writer.says("/docker_unfollow shop")
            await sheet_with(box, "⏹️ No longer following web.")
            assert cancelled(services, second)

    run(test)


def test_text_that_is_no_command_is_answered_only_in_a_private_chat(
    services: Services, api_url: str, operator: Actor
) -> None:
    async def test() -> None:
        box = LetterBox()
        async with opened(services, api_url, box, operator) as writer:
            await writer.says("hello")
            await writer.says("yes")
            await writer.conversation.settle()
            assert not box.sheets
            alone = replace(writer, private=True)
            await alone.says("hello")
            await sheet_with(box, "I only know commands")
            await alone.says("yes")
            await sheet_with(box, "There is nothing to confirm here.")
            stranger = replace(alone, actor=Actor("telegram", "77", "Eve"))
            await stranger.says("hello")
            await sheet_with(box, "Your id is telegram:77.")

    run(test)


def test_a_broken_projects_file_is_told_once_in_a_message_of_its_own(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    async def test() -> None:
        box = LetterBox()
        async with opened(services, api_url, box, operator) as writer:
            path = services.projects.path
            services.projects.names()
            good = path.read_text()
            path.write_text(good.replace(",", "", 1))
            for _ in range(2):
                await writer.says("/docker_status")
                job = await asyncio.to_thread(worker.next_job, "status", operator.id)
                claim = await asyncio.to_thread(worker.claim, job.id)
                await asyncio.to_thread(claim.succeed, status_of("shop"))
            await writer.conversation.settle()
            told = [sheet[-1].text for sheet in box.sheets.values()]
            assert sum("Projects file not loaded" in text for text in told) == 1
            assert any("',' missing. Still using the last good version." in t for t in told)
            path.write_text(good)
            await writer.says("/help")
            path.write_text(good.replace(",", "", 1))
            await writer.says("/help")
            await writer.conversation.settle()
            told = [sheet[-1].text for sheet in box.sheets.values()]
            assert sum("Projects file not loaded" in text for text in told) == 2

    run(test)


def cancelled(services: Services, id: str) -> bool:
    """Return whether the worker that runs the job is asked to stop it."""
    return bool(services.redis.hget(f"scar:job:{id}", "cancellation"))


def test_a_question_that_the_worker_did_not_sign_is_not_shown(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    """The API was taken over, and tells another plan than the worker has signed."""

    class LyingApi(ApiClient):
        async def follow(self, id: str, after: int = 0) -> AsyncIterator[Event]:
            async for event in super().follow(id, after):
                plan = event.data.get("plan")
                lie = {**event.data, "plan": {**plan, "containers": ["nothing"]}} if plan else None
                yield replace(event, data=lie) if lie else event

    async def test() -> None:
        box = LetterBox("telegram")
        client = LyingApi(api_url, front_end_token(services.settings, operator))
        conversation = Conversation(box, services, client)
        await conversation.resume()
        writer = Writer(conversation, operator)
        await writer.says("/docker_restart")
        job = await asyncio.to_thread(worker.next_job, "restart", operator.id)
        await asyncio.to_thread(worker.plan, job.id)
        await asyncio.sleep(1.0)  # there is nothing to wait for: the question must not come
        assert not any("nothing" in sheet[-1].text for sheet in box.sheets.values())
        await writer.says("yes")
        assert services.job_service.get(job.id).state is JobState.AWAITING_CONFIRMATION
        await conversation.close()

    run(test)
