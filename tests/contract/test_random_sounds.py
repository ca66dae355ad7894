"""Random jobs, one after the other: each that is worth a sound makes one, no other makes any.

`SOUNDS=200 python -m pytest -s tests/contract/test_random_sounds.py -k real` plays 200 jobs.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from scar.access import Actor
from scar.bootstrap import Services
from scar.chat.conversation import Conversation
from scar.client import ApiClient
from scar.errors import ErrorRecord, ScarError
from scar.jobs.proofs import JobEnd
from scar.jobs.record import Job, JobState
from scar.jobs.step import StepState
from tests.support.acting_worker import ActingWorker, restarting, status_of
from tests.support.keys import front_end_token
from tests.support.letterbox import LetterBox, Writer
from tests.support.waiting import PATIENCE

JOBS = int(os.environ.get("SOUNDS", "9"))
BROKEN = ScarError("internal", "It broke", "Mend it.")
LONG_MS = 20_000


@dataclass
class Player:
    """A person who asks, a worker that does it, and what rang."""

    services: Services
    api_url: str
    worker: ActingWorker
    actor: Actor
    chance: random.Random
    box: LetterBox = field(default_factory=lambda: LetterBox("telegram"))

    def __post_init__(self) -> None:
        self.conversation = self._new_conversation()

    def _new_conversation(self) -> Conversation:
        token = front_end_token(self.services.settings, self.actor)
        return Conversation(self.box, self.services, ApiClient(self.api_url, token))

    async def says(self, text: str) -> None:
        await Writer(self.conversation, self.actor).says(text)

    async def restart_bot(self) -> None:
        """A process that is stopped and started again takes its messages up."""
        await self.conversation.close()
        self.conversation = self._new_conversation()
        await self.conversation.resume()

    async def asked(self, command: str, kind: str) -> Job:
        await self.says(command)
        return await asyncio.to_thread(self.worker.next_job, kind, self.actor.id)

    async def answered(self, answer: str) -> Job:
        """Ask for a restart, and answer its question: what is said before it counts for nothing."""
        job = await self.asked("/docker_restart", "restart")
        await asyncio.to_thread(self.worker.plan, job.id)
        async with asyncio.timeout(PATIENCE):
            while self.worker.state(job.id) is JobState.AWAITING_CONFIRMATION:
                await self.says(answer)
                await asyncio.sleep(0.02)
        return job

    def end(self, id: str, end: JobEnd, worked_ms: int) -> None:
        """Do a job whose only step took so long by the worker's clock."""
        claim, now = self.worker.claim(id), int(time.time() * 1000)
        done = restarting("web", StepState.SUCCEEDED)
        claim.step(replace(done, started_at=now - worked_ms, finished_at=now))
        claim.end(end)


async def read(player: Player) -> None:
    job = await player.asked("/docker_status", "status")
    if player.chance.random() < 0.5:
        await asyncio.to_thread(player.worker.fail, job.id, BROKEN)
    else:
        await asyncio.to_thread(player.worker.finish, job.id, status_of("shop"))


async def not_planned(player: Player) -> None:
    job = await player.asked("/docker_restart", "restart")
    await asyncio.to_thread(player.worker.fail, job.id, BROKEN)


async def dropped(player: Player) -> None:
    await player.answered("no")


async def cancelled(player: Player) -> None:
    job = await player.answered("yes")
    await player.says(f"/docker_cancel {job.id}")


def ended(state: JobState, worked_ms: int) -> Callable[[Player], Awaitable[None]]:
    async def play(player: Player) -> None:
        job = await player.answered("yes")
        if player.chance.random() < 0.2:
            await player.restart_bot()
        error = None if state is JobState.SUCCEEDED else ErrorRecord("internal", "It broke", "")
        end = JobEnd(state, None if error else {"downtime_seconds": 0.2}, error)
        await asyncio.to_thread(player.end, job.id, end, worked_ms)

    return play


PLAYS: tuple[tuple[Callable[[Player], Awaitable[None]], bool], ...] = (
    (read, False),
    (not_planned, True),
    (dropped, False),
    (cancelled, True),
    (ended(JobState.SUCCEEDED, 3_000), False),
    (ended(JobState.SUCCEEDED, 19_000), False),
    (ended(JobState.SUCCEEDED, 25_000), True),
    (ended(JobState.FAILED, 2_000), True),
    (ended(JobState.FAILED, 60_000), True),
)
"""What happens to a job, and whether its end makes a sound."""


def test_each_of_many_random_jobs_rings_once_or_not_at_all(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    player = Player(services, api_url, worker, operator, random.Random(seed))

    async def test() -> None:
        for number in range(JOBS):
            at = number if number < len(PLAYS) else player.chance.randrange(len(PLAYS))
            play, rings = PLAYS[at]
            before = len(player.box.notices)
            await play(player)
            await player.conversation.settle()
            job = next(iter(services.ledger.recent()))
            if number % 5 == 4:  # which also forgets how much the person has written
                await player.restart_bot()
            # A busy machine may really have taken so long.
            took = (job.finished_at or 0) - (job.confirmed_at or job.finished_at or 0)
            expected = int(rings or (job.request.changes and took > LONG_MS))
            rang = player.box.notices[before:]
            assert len(rang) == expected, (seed, number, at, job.state, rang)
        await player.conversation.close()

    asyncio.run(test())
    print(f"{JOBS} jobs, {len(player.box.notices)} sounds, none missing and none too many")
