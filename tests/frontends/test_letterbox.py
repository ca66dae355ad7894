"""What a front-end has to be is little: a letter box does everything that a chat does."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from scar.access import Actor
from scar.chat.conversation import Conversation
from scar.chat.front_end import IncomingMessage, Place, SentMessage
from scar.client import ApiClient, service_token
from scar.commands.command import WhichProject
from scar.document import Document
from scar.jobs.record import JobState
from tests.support import letterbox
from tests.support.letterbox import LetterBox, Writer
from tests.support.telegram_scene import TelegramScene, question

PATIENCE = 15.0


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


@contextlib.asynccontextmanager
async def opened(scene: TelegramScene, box: LetterBox, actor: Actor) -> AsyncIterator[Writer]:
    """The box, with somebody at it."""
    token = lambda: service_token(scene.services.signatures, actor, time.time())  # noqa: E731
    conversation = Conversation(box, scene.services, ApiClient(scene.settings.api_url, token))
    await conversation.resume()
    looking_out = asyncio.create_task(conversation.look_out())
    try:
        yield Writer(conversation, actor)
    finally:
        looking_out.cancel()
        await conversation.close()


async def until(box: LetterBox, words: str) -> tuple[str, Document]:
    """The sheet that shows `words` now."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for reference, versions in box.sheets.items():
            if words in versions[-1].text:
                return reference, versions[-1]
        await asyncio.sleep(0.02)
    raise AssertionError(f"no sheet says {words!r}: {[v[-1].text for v in box.sheets.values()]}")


def operator(scene: TelegramScene) -> Actor:
    """Somebody who may ask and confirm."""
    return Actor("telegram", str(scene.user()), "Olga")


def test_it_is_short() -> None:
    assert len(Path(letterbox.__file__).read_text().splitlines()) < 60


def test_ask_confirm_follow_in_one_sheet(scene: TelegramScene) -> None:
    async def test() -> None:
        box, actor = LetterBox(), operator(scene)
        async with opened(scene, box, actor) as writer:
            await writer.says("/docker_restart")
            job = await asyncio.to_thread(scene.worker.next_job, "restart", actor.id)
            await asyncio.to_thread(scene.worker.plan, job.id)
            asked, document = await until(box, "Type `yes` to confirm")
            assert [button.answer for button in document.buttons] == ["yes", "no"]
            await writer.says("yes")
            await asyncio.to_thread(scene.worker.finish, job.id, {"downtime_seconds": 0.2})
            ended, document = await until(box, "Production is live")
            assert ended == asked
            assert not document.buttons
            assert list(box.sheets) == [asked]
            await writer.conversation.settle()
        assert not scene.services.ledger.watches("letterbox")

    run(test)


def test_taken_up_in_the_middle_by_the_next_run(scene: TelegramScene) -> None:
    async def test() -> None:
        box, actor = LetterBox(), operator(scene)
        async with opened(scene, box, actor) as writer:
            await writer.says("/docker_restart")
            job = await asyncio.to_thread(scene.worker.next_job, "restart", actor.id)
            await asyncio.to_thread(scene.worker.plan, job.id)
            asked, _ = await until(box, "Type `yes` to confirm")
        async with opened(scene, box, actor) as writer:
            assert await writer.says("yes", (job.id, "a" * 16)) == "Confirmed."
            await asyncio.to_thread(scene.worker.finish, job.id, {"downtime_seconds": None})
            assert (await until(box, "Production is live"))[0] == asked

    run(test)


def test_a_job_of_telegram_is_seen_confirmed_and_ended_in_the_box_too(scene: TelegramScene) -> None:
    async def test() -> None:
        box, actor = LetterBox(), operator(scene)
        chat = scene.chat("Ada")
        chat.person.says("/docker_restart", chat)
        job = await asyncio.to_thread(scene.worker.next_job, "restart", str(chat.person.id))
        await asyncio.to_thread(scene.worker.plan, job.id)
        await asyncio.to_thread(question, chat)
        async with opened(scene, box, actor) as writer:
            await writer.says(f"/job_{job.id}")
            await until(box, "Type `yes` to confirm")
            await writer.says("yes")
            await asyncio.to_thread(scene.worker.until, job.id, JobState.QUEUED)
            await asyncio.to_thread(scene.worker.finish, job.id, {"downtime_seconds": 0.1})
            _, here = await until(box, "Production is live")
            there = await asyncio.to_thread(chat.wait_for_text, "Production is live")
            assert there.text == here.text
            assert len(chat.from_bot) == 1

    run(test)


def test_another_process_has_a_job_shown(scene: TelegramScene) -> None:
    async def test() -> None:
        box, actor = LetterBox(), operator(scene)
        services = scene.services
        async with opened(scene, box, actor):
            command = services.job_service.commands["status"]
            job = services.job_service.submit(actor, command, services.projects.get("shop"), {})
            begun = time.monotonic()
            services.ledger.watch("letterbox", job.id, Place("elsewhere").key, "{}")
            await until(box, "📊 Shop")
            assert time.monotonic() - begun < 3.0

    run(test)


def test_who_looks_on_takes_no_question_off_the_table(scene: TelegramScene) -> None:
    async def test() -> None:
        box, asker, other = LetterBox(), operator(scene), operator(scene)
        async with opened(scene, box, asker) as writer:
            await writer.says("/docker_restart")
            job = await asyncio.to_thread(scene.worker.next_job, "restart", asker.id)
            await asyncio.to_thread(scene.worker.plan, job.id)
            await until(box, "Type `yes` to confirm")
            onlooker = Writer(writer.conversation, other, Place("hall"))
            await onlooker.says("/job")
            await onlooker.says("/help")
            await until(box, "What you may do here")
            assert scene.worker.state(job.id) is JobState.AWAITING_CONFIRMATION
            await writer.says("no")
            assert scene.worker.state(job.id) is JobState.CANCELLED

    run(test)


def test_which_one_is_asked_and_answered_once(scene: TelegramScene) -> None:
    async def test() -> None:
        box, actor = LetterBox(), operator(scene)
        async with opened(scene, box, actor) as writer:
            tags: list[str] = []
            send = box.send

            async def tagged(place: Place, document: Document, tag: str) -> SentMessage:
                tags.append(tag)
                return await send(place, document, tag)

            box.send = tagged  # type: ignore[method-assign]
            texts = {"shop": "/docker_status shop", "blog": "/docker_status blog"}
            incoming = IncomingMessage(actor, writer.place, "@scar fix it", time.time())
            await writer.conversation._ask_which(incoming, WhichProject(texts))
            _, document = await until(box, "Which project?")
            assert [(b.label, b.command) for b in document.buttons] == list(texts.items())
            token, _, plan = tags[0].partition(":")
            stranger = Writer(writer.conversation, operator(scene))
            assert await stranger.says("c0", (token, plan)) is not None
            assert await writer.says("c0", (token, plan)) is None
            job = await asyncio.to_thread(scene.worker.next_job, "status", actor.id)
            assert job.request.project == "shop"
            assert await writer.says("c0", (token, plan)) is not None

    run(test)


@pytest.mark.parametrize("id", ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense", "shop shop"])
def test_a_job_that_is_not_there(scene: TelegramScene, id: str) -> None:
    async def test() -> None:
        box = LetterBox()
        async with opened(scene, box, operator(scene)) as writer:
            await writer.says(f"/job {id}")
            await until(box, "❌")

    run(test)
