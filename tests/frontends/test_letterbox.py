"""A front-end has to provide little: with a letter box, everything works as in a chat."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from scar.access import Actor
from scar.chat.conversation import Conversation
from scar.chat.front_end import Place
from scar.client import ApiClient
from scar.document import Document
from scar.jobs.record import JobState
from scar.jobs.subscriptions import Subscription
from tests.support import letterbox
from tests.support.letterbox import LetterBox, Writer
from tests.support.telegram_scene import TelegramScene, question

LONGEST_TEST = 120.0


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), LONGEST_TEST))


@contextlib.asynccontextmanager
async def opened(scene: TelegramScene, box: LetterBox, actor: Actor) -> AsyncIterator[Writer]:
    """The box while its front-end runs, with a person at it."""
    client = ApiClient.for_actor(scene.settings.api_url, scene.services.signatures, actor)
    conversation = Conversation(box, scene.services, client)
    running = asyncio.create_task(conversation.run())
    try:
        yield Writer(conversation, actor)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(box: LetterBox, words: str) -> tuple[str, Document]:
    """The sheet that shows `words` now, however long that takes; `run` limits the whole test."""
    try:
        while True:
            for reference, versions in box.sheets.items():
                if words in versions[-1].text:
                    return reference, versions[-1]
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        sheets = [versions[-1].text for versions in box.sheets.values()]
        raise AssertionError(f"no sheet says {words!r}: {sheets}") from None


def operator(scene: TelegramScene) -> Actor:
    """A person who may ask and confirm."""
    return Actor("console", str(scene.user()), "Olga")


def test_a_front_end_takes_less_than_72_lines() -> None:
    assert len(Path(letterbox.__file__).read_text().splitlines()) < 72


def test_a_job_is_requested_confirmed_and_followed_in_one_message(scene: TelegramScene) -> None:
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
            assert [button.label for button in document.buttons] == ["🔁 Again"]
            assert list(box.sheets) == [asked]
            await writer.conversation.settle()
        assert not scene.services.subscriptions.of("console")

    run(test)


def test_a_restarted_front_end_continues_its_unfinished_message(scene: TelegramScene) -> None:
    async def test() -> None:
        box, actor = LetterBox(), operator(scene)
        async with opened(scene, box, actor) as writer:
            await writer.says("/docker_restart")
            job = await asyncio.to_thread(scene.worker.next_job, "restart", actor.id)
            await asyncio.to_thread(scene.worker.plan, job.id)
            asked, _ = await until(box, "Type `yes` to confirm")
        async with opened(scene, box, actor) as writer:
            while await writer.taps("yes", box.tags[asked]) != "Confirmed.":
                await asyncio.sleep(0.02)  # the message is not taken up yet
            await asyncio.to_thread(scene.worker.finish, job.id, {"downtime_seconds": None})
            assert (await until(box, "Production is live"))[0] == asked

    run(test)


def test_a_job_requested_in_telegram_can_be_shown_and_confirmed_in_another_front_end(
    scene: TelegramScene,
) -> None:
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
            there = await asyncio.to_thread(chat.wait_for_text, "Production is live", LONGEST_TEST)
            assert there.text == here.text
            assert len(chat.from_bot) == 1

    run(test)


def test_a_front_end_shows_a_job_that_another_process_subscribed_it_to(
    scene: TelegramScene,
) -> None:
    async def test() -> None:
        box, actor = LetterBox(), operator(scene)
        services = scene.services
        async with opened(scene, box, actor):
            command = services.job_service.commands["status"]
            job = services.job_service.submit(actor, command, services.projects.get("shop"), {})
            subscription = Subscription("console", job.id, Place("elsewhere").key)
            services.subscriptions.put(subscription)
            await until(box, "📊 Shop")

    run(test)


def test_a_command_of_another_person_does_not_cancel_an_unconfirmed_job(
    scene: TelegramScene,
) -> None:
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


@pytest.fixture
def two_projects_with_agents(scene: TelegramScene) -> Iterator[None]:
    path, folder = scene.installation.projects_file, scene.installation.folder
    before = path.read_text()
    entries = {
        name: {"workspace": f"{folder}/{name}", "production": f"{folder}/live/{name}"}
        for name in ("shop", "blog")
    }
    more = {"agent": "true", "containers": ["web"]}
    path.write_text(json.dumps({name: {**entry, **more} for name, entry in entries.items()}))
    yield
    path.write_text(before)


@pytest.mark.usefixtures("two_projects_with_agents")
def test_a_menu_of_projects_is_answered_once_and_only_by_the_person_who_was_asked(
    scene: TelegramScene,
) -> None:
    async def test() -> None:
        box, admin = LetterBox(), operator(scene)
        async with opened(scene, box, admin) as writer:
            await writer.says("@scar fix it")
            sheet, menu = await until(box, "Which project?")
            assert [(button.label, button.command) for button in menu.buttons] == [
                ("shop", "/agent shop: fix it"),
                ("blog", "/agent blog: fix it"),
            ]
            tag, refusal = box.tags[sheet], "That is no longer on offer here."
            stranger = Writer(writer.conversation, operator(scene))
            assert await stranger.taps("c0", tag) == refusal
            assert await writer.taps("c0", tag) is None
            job = await asyncio.to_thread(scene.worker.next_job, "agent", admin.id)
            assert job.request.project == "shop"
            assert await writer.taps("c0", tag) == refusal
            await asyncio.to_thread(scene.services.job_service.cancel, admin, job.id)

    run(test)


@pytest.mark.parametrize("id", ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense", "shop shop"])
def test_an_unknown_job_id_is_answered_with_an_error(scene: TelegramScene, id: str) -> None:
    async def test() -> None:
        box = LetterBox()
        async with opened(scene, box, operator(scene)) as writer:
            await writer.says(f"/job {id}")
            await until(box, "❌")

    run(test)
