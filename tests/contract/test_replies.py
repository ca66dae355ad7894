"""A reply to a job's message is about that job and its project."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from scar.access import Actor
from scar.bootstrap import Services
from scar.chat.conversation import Conversation
from scar.chat.front_end import IncomingMessage, Place
from scar.chat.replies import meant_by
from scar.chat.shown_messages import ShownMessages
from scar.client import ApiClient
from scar.errors import ScarError
from scar.jobs.record import JobState
from tests.support.acting_worker import ActingWorker
from tests.support.keys import front_end_token
from tests.support.letterbox import LetterBox
from tests.support.waiting import PATIENCE, eventually

BOX = Place("box")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("logs", "/docker_logs"),
        ("Logs 20", "/docker_logs 20"),
        ("follow grep out of memory", "/docker_follow grep out of memory"),
        ("again", "/docker_again 01J"),
        ("rollback", "/docker_rollback"),
        ("again please", "again please"),
        ("logs are broken again", "logs are broken again"),
        ("/docker_logs", "/docker_logs"),
        ("yes", "yes"),
        ("", ""),
    ],
)
def test_a_short_word_is_a_command_and_talk_stays_talk(text: str, meant: str) -> None:
    assert meant_by(text, "01J") == meant


def test_a_reply_means_the_job_and_the_project_of_its_message(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    entries = json.loads(services.projects.path.read_text())
    other = {**entries["shop"], "workspace": "/w/first", "production": "/p/first"}
    services.projects.path.write_text(json.dumps({"first": other, **entries}))

    async def test() -> None:
        box = LetterBox("telegram")
        token = front_end_token(services.settings, operator)
        conversation = Conversation(box, services, ApiClient(api_url, token))

        async def says(text: str, reply_to: str | None = None) -> None:
            sent = IncomingMessage(operator, BOX, text, time.time(), reply_to=reply_to)
            await conversation.receive(sent)

        async def sheet_with(words: str) -> str:
            while True:
                for reference, versions in box.sheets.items():
                    if words in versions[-1].text:
                        return reference
                await asyncio.sleep(0.01)

        await says("/docker_restart shop")
        first = await asyncio.to_thread(worker.next_job, "restart", operator.id)
        await asyncio.to_thread(worker.fail, first.id, ScarError("internal", "It broke", "Mend."))
        notice = await sheet_with("❌ Restart shop: failed")
        await conversation.settle()
        await says("again", notice)
        second = await asyncio.to_thread(worker.next_job, "restart", operator.id)
        assert second.request.project == "shop"
        await says("logs 20", await sheet_with("❌ Restart did not begin"))
        logs = await asyncio.to_thread(worker.next_job, "logs", operator.id)
        assert (logs.request.project, logs.request.args["lines"]) == ("shop", 20)
        await says("/docker_restart shop")
        third = await asyncio.to_thread(worker.next_job, "restart", operator.id)
        await asyncio.to_thread(worker.plan, third.id)
        question = await sheet_with("Type `yes` to confirm")
        await says("yes", notice)
        assert worker.state(third.id) is JobState.AWAITING_CONFIRMATION
        await says("yes", question)
        await asyncio.to_thread(eventually, lambda: worker.state(third.id) is JobState.QUEUED)
        await conversation.close()

    asyncio.run(asyncio.wait_for(test(), PATIENCE))


def test_an_unsigned_record_of_a_message_is_ignored_in_a_reply(services: Services) -> None:
    shown = ShownMessages(services.redis, services.signatures, "telegram")
    shown.put(BOX, "7", "01J")
    assert shown.job_of(BOX, "7") == "01J"
    key = next(services.redis.scan_iter("scar:shown:*"))
    services.redis.rename(key, str(key).replace(":7", ":8"))
    assert shown.job_of(BOX, "8") is None
    assert shown.job_of(BOX, "7") is None
