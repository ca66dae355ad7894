"""The chat experience, the same for every front-end: ask, confirm, follow, one message a job.

A front-end hands in what people say (`Conversation.hear`) and can send and edit messages
(`FrontEnd`). Everything else is here and in `scar.message`: whom to believe, what a text means,
when a `yes` counts, when a message is worth an edit, how it is taken up again after a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog

from scar.access import Role
from scar.commands import all_commands
from scar.commands.command import JobCommand, LocalCommand, refusal
from scar.commands.language import Answer, Language, Spoken
from scar.document import Document
from scar.errors import ScarError
from scar.front_end import Events, FrontEnd, Heard, Place, Sent, Undelivered
from scar.jobs.record import Job
from scar.message import TAG_LENGTH, Asked, Message, Stage, said_before, watch
from scar.pace import Pace
from scar.redaction import clean
from scar.wiring import Wiring

__all__ = ["Conversation", "Events", "FrontEnd", "Heard", "Place", "Sent", "Undelivered"]

_log = structlog.get_logger(__name__)
_TOO_OLD = 60.0
_AWAY = "That came while I was away, or took too long to reach me: nothing was done."
_AGAIN = Document.of(f"⌛ {_AWAY}", "💡 Send it again if you still want it.")
_NO_QUESTION = "There is nothing to confirm here."


class Conversation:
    """What SCAR says and understands in one front-end."""

    def __init__(
        self,
        front_end: FrontEnd,
        wiring: Wiring,
        events: Events,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._front_end = front_end
        self._wiring = wiring
        self._clock = clock
        self._stage = Stage(front_end, wiring, events, clock)
        self._language = Language(all_commands())
        self._messages: dict[str, Message] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._paces: dict[Place, Pace] = {}

    async def resume(self) -> None:
        """Takes up the messages that an earlier run of this front-end left unfinished."""
        ledger = self._wiring.ledger
        for id, text in (await asyncio.to_thread(ledger.watches, self._front_end.name)).items():
            found = json.loads(text)
            job = await asyncio.to_thread(ledger.get, id)
            if job is None:
                await self._forget(id)
                continue
            self._attend(job, Place(found["chat"], found["thread"]), found)

    async def settle(self) -> None:
        """Waits until everything is said, and every message shows the end of its job.

        Who waits may be cancelled; what is waited for goes on.
        """
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Stops following; another run takes the messages up with `resume`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def hear(self, heard: Heard) -> str | None:
        """Does what was asked. Returns a few words for whoever tapped a button."""
        try:
            return await self._hear(heard)
        except ScarError as error:
            if heard.button is None:
                self._say(heard.place, refusal(error.record()))
            return error.message

    async def _hear(self, heard: Heard) -> str | None:
        projects = self._wiring.projects.projects.values()
        known = self._wiring.access.highest_role(heard.actor, projects) is not None
        try:
            meant = self._language.understand(heard.text, bot_name=self._front_end.bot_name)
        except ScarError:
            if known:
                raise
            meant = None
            await self._refuse_stranger(heard)
        if meant is None:
            return None
        if isinstance(meant, Answer):
            return await self._answer(heard, meant, known=known)
        if not known:
            await self._refuse_stranger(heard)
        elif heard.sent_at < self._clock() - _TOO_OLD:
            self._say(heard.place, _AGAIN)
        else:
            await self._command(heard, meant)
        return None

    async def _refuse_stranger(self, heard: Heard) -> None:
        word = clean(heard.text).split()[:1]
        await self._audit(heard, "".join(word)[:64], "refused: unauthorized")
        self._wiring.access.require(heard.actor, Role.VIEWER, None)

    async def _command(self, heard: Heard, spoken: Spoken) -> None:
        """Does a command. Whatever comes of it, it takes an open question off the table."""
        command = spoken.command
        job: Job | None = None
        try:
            if isinstance(command, LocalCommand):
                await self._answer_here(heard, command, spoken.words)
            else:
                job = await asyncio.to_thread(self._submit, heard, command, spoken.words)
        finally:
            await self._drop_questions(heard, except_of=job)
        if job and job.id not in self._messages and await self._unsaid(heard, job):
            self._attend(job, heard.place, watch(heard.place))

    async def _answer_here(
        self, heard: Heard, command: LocalCommand, words: tuple[str, ...]
    ) -> None:
        around = self._wiring.surroundings
        try:
            answer = await asyncio.to_thread(command.reply, heard.actor, words, around)
        except ScarError as error:
            await self._audit(heard, command.word, f"refused: {error.code}")
            raise
        await self._audit(heard, command.word, "answered")
        self._say(heard.place, answer)

    def _submit(self, heard: Heard, command: JobCommand, words: tuple[str, ...]) -> Job:
        projects = self._wiring.projects
        invocation = command.parse(words, projects, self._wiring.default_project)
        return self._wiring.intake.submit(
            heard.actor,
            command,
            invocation.project,
            invocation.args,
            idempotency_key=heard.key,
            watch=(self._front_end.name, json.dumps(watch(heard.place))),
        )

    async def _unsaid(self, heard: Heard, job: Job) -> bool:
        """Whether the job was not shown to its end before; what is heard again may have been."""
        if heard.key is None:
            return True
        ledger = self._wiring.ledger
        return job.id in await asyncio.to_thread(ledger.watches, self._front_end.name)

    async def _answer(self, heard: Heard, answer: Answer, *, known: bool) -> str | None:
        if heard.button and not known:
            await self._refuse_stranger(heard)
        message, asked = await self._question_for(heard)
        if message is None or asked is None:
            return _NO_QUESTION if heard.button else None
        asker = message.job.request.requested_by
        if heard.actor != asker:
            return f"Only {asker.name} can answer this."
        if heard.stale or said_before(heard, message, asked):
            if heard.button is None:
                self._say(heard.place, _AGAIN)
            return _AWAY
        if heard.button and heard.button[1] != asked.plan[:TAG_LENGTH]:
            return "The plan has changed; look at the new one."
        await self._confirm(heard, answer, message, asked)
        return "Confirmed." if answer is Answer.YES else "Dropped."

    async def _confirm(self, heard: Heard, answer: Answer, message: Message, asked: Asked) -> None:
        """Answers the question with the plan that was shown; where that fails it can be again."""
        message.asked, message.answered = None, asked.plan
        intake = self._wiring.intake
        confirm = partial(
            intake.confirm, heard.actor, message.job.id, answer.name, shown=asked.plan
        )
        try:
            await asyncio.to_thread(confirm)
        except ScarError:
            message.asked, message.answered = asked, None
            raise

    async def _question_for(self, heard: Heard) -> tuple[Message | None, Asked | None]:
        """The question that a `yes` or `no` answers: the one tapped, or the latest of theirs."""
        if heard.button:
            message = self._messages.get(heard.button[0])
            here = message is not None and message.place == heard.place
            found = [message] if message and here else []
        else:
            found = self._theirs(heard)
        asked = [(message, question) for message in found if (question := await message.question())]
        return max(asked, key=lambda pair: pair[1].at, default=(None, None))

    def _theirs(self, heard: Heard) -> list[Message]:
        return [
            message
            for message in self._messages.values()
            if message.place == heard.place and message.job.request.requested_by == heard.actor
        ]

    async def _drop_questions(self, heard: Heard, *, except_of: Job | None) -> None:
        """Another command takes what the same person has not confirmed off the table."""
        for message in self._theirs(heard):
            if message.open and (except_of is None or message.job.id != except_of.id):
                message.asked = None
                with contextlib.suppress(ScarError):  # it expired or began in the same moment
                    await asyncio.to_thread(self._wiring.intake.cancel, heard.actor, message.job.id)

    def _attend(self, job: Job, place: Place, found: dict[str, str | None]) -> None:
        message = Message(self._stage, job, place, self._pace(place), found)
        self._messages[job.id] = message
        self._begin(self._show(message))

    async def _show(self, message: Message) -> None:
        try:
            await message.show()
        except ScarError as error:
            self._say(message.place, refusal(error.record()))
        finally:
            self._messages.pop(message.job.id, None)
        await self._forget(message.job.id)

    def _say(self, place: Place, document: Document) -> None:
        """Says what belongs to no job, without keeping anybody waiting."""
        self._begin(self._send(place, self._front_end.fit(document)))

    async def _send(self, place: Place, document: Document) -> None:
        """Sends it; tried again for a minute, then given up."""
        deadline = self._clock() + _TOO_OLD
        pace = self._pace(place)
        reference: str | None = None
        while True:
            try:
                async with pace.send(self._front_end.interval(place)):
                    if reference is None:
                        reference = (await self._front_end.send(place, document, "")).reference
                    if document.attachment:
                        await self._front_end.attach(place, reference, document.attachment)
                return
            except Undelivered as error:
                if error.retry_after is None or self._clock() + error.retry_after > deadline:
                    _log.warning("answer given up", reason=str(error))
                    return
                pace.hold(error.retry_after)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a message came to no end", exc_info=error)

    def _pace(self, place: Place) -> Pace:
        return self._paces.setdefault(place, Pace())

    async def _audit(self, heard: Heard, action: str, outcome: str) -> None:
        await asyncio.to_thread(self._wiring.audit.write, heard.actor, action, outcome)

    async def _forget(self, id: str) -> None:
        """The message says all there is to say; where Redis is away, the next run sees that."""
        try:
            await asyncio.to_thread(self._wiring.ledger.unwatch, self._front_end.name, id)
        except ScarError as error:
            _log.warning("message not forgotten", job=id, reason=error.message)
