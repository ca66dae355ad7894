"""The message that announces a job's end is sent once, whatever is stopped or killed during its
delivery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from scar.access import Actor
from scar.bootstrap import Services
from scar.chat.conversation import Conversation
from scar.chat.front_end import Place, SentMessage, Undelivered
from scar.client import ApiClient
from scar.document import Document
from scar.errors import ScarError
from tests.support.acting_worker import ActingWorker
from tests.support.keys import front_end_token
from tests.support.letterbox import LetterBox, Writer
from tests.support.waiting import PATIENCE

BROKEN = ScarError("internal", "It broke", "Mend it.")


@dataclass
class SlowBox(LetterBox):
    """A letter box that delivers a notice at once, but returns only when the test permits it."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    refusals: list[Undelivered] = field(default_factory=list)

    async def notify(
        self, place: Place, document: Document, tag: str, *, reply_to: str | None
    ) -> SentMessage:
        if self.refusals:
            raise self.refusals.pop()
        sent = await super().notify(place, document, tag, reply_to=reply_to)
        await self.may_answer.wait()
        return sent


@dataclass
class Scene:
    """A person whose job fails."""

    services: Services
    api_url: str
    worker: ActingWorker
    actor: Actor

    def conversation(self, box: LetterBox) -> Conversation:
        token = front_end_token(self.services.settings, self.actor)
        return Conversation(box, self.services, ApiClient(self.api_url, token))

    async def fail(self, conversation: Conversation) -> None:
        await Writer(conversation, self.actor).says("/docker_restart")
        job = await asyncio.to_thread(self.worker.next_job, "restart", self.actor.id)
        await asyncio.to_thread(self.worker.fail, job.id, BROKEN)

    @property
    def is_over(self) -> bool:
        return not self.services.redis.hgetall("scar:watches:telegram")


async def _notices(box: LetterBox) -> None:
    while not box.notices:
        await asyncio.sleep(0.01)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), PATIENCE))


def test_a_failure_is_told_once_in_reply_to_its_message(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    async def test() -> None:
        scene = Scene(services, api_url, worker, operator)
        box = SlowBox("telegram")
        box.may_answer.set()
        box.refusals = [Undelivered("slow down", 0.05)]
        conversation = scene.conversation(box)
        await scene.fail(conversation)
        await conversation.settle()
        [(text, reply_to)] = box.notices
        assert text == "❌ Restart shop: failed\nIt broke"
        assert [reply_to, "2"] == [*box.sheets]
        assert scene.is_over
        await conversation.close()

    run(test)


def test_a_front_end_that_is_stopped_finishes_its_send(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    async def test() -> None:
        scene = Scene(services, api_url, worker, operator)
        box = SlowBox("telegram")
        conversation = scene.conversation(box)
        await scene.fail(conversation)
        await _notices(box)
        closing = asyncio.create_task(conversation.close())
        await asyncio.sleep(0)
        box.may_answer.set()
        await closing
        again = scene.conversation(box)
        await again.resume()
        await again.settle()
        assert len(box.notices) == 1
        assert scene.is_over

    run(test)


def test_a_front_end_killed_before_recording_an_end_notice_does_not_send_it_again(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    async def test() -> None:
        scene = Scene(services, api_url, worker, operator)
        box = SlowBox("telegram")
        killed = scene.conversation(box)
        await scene.fail(killed)
        await _notices(box)  # the process that sent it does nothing more
        again = scene.conversation(box)
        await again.resume()
        await again.settle()
        assert len(box.notices) == 1
        assert scene.is_over
        box.may_answer.set()
        await killed.close()

    run(test)


def test_an_end_notice_that_may_have_arrived_is_not_sent_again(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    async def test() -> None:
        scene = Scene(services, api_url, worker, operator)
        box = SlowBox("telegram")
        box.refusals = [Undelivered("connection lost", 0.05, unsure=True)]
        conversation = scene.conversation(box)
        await scene.fail(conversation)
        await conversation.settle()
        assert not box.notices
        assert scene.is_over
        await conversation.close()

    run(test)
