"""The chat experience, the same for every front-end: ask, confirm, follow, one message a job.

A front-end hands in what people say (`Conversation.hear`) and can send and edit messages
(`FrontEnd`). Everything else is here and in `job_message`: whom to believe, what a text means,
when a `yes` counts, when a message is worth an edit, how it is taken up again after a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from scar.access import Role
from scar.bootstrap import Services
from scar.chat.edit_throttle import EditThrottle
from scar.chat.front_end import Events, FrontEnd, IncomingMessage, Place, SentMessage, Undelivered
from scar.chat.job_message import TAG_LENGTH, JobMessage, OpenQuestion, Stage, said_before
from scar.chat.menus import Menus, choice
from scar.commands import all_commands
from scar.commands.command import WhichProject
from scar.commands.command_parser import Answer, CommandParser, ParsedCommand
from scar.commands.job_command import JobCommand
from scar.commands.local_command import CommandContext, LocalCommand, WindowCommand
from scar.commands.notices import refusal
from scar.document import Document
from scar.errors import ScarError
from scar.jobs.record import Job
from scar.projects import Project
from scar.redaction import clean

__all__ = [
    "Conversation",
    "Events",
    "FrontEnd",
    "IncomingMessage",
    "Place",
    "SentMessage",
    "Undelivered",
]

_log = structlog.get_logger(__name__)
_TOO_OLD = 60.0
_AWAY = "That came while I was away, or took too long to reach me: nothing was done."
_AGAIN = Document.of(f"⌛ {_AWAY}", "💡 Send it again if you still want it.")
_NO_QUESTION = "There is nothing to confirm here."
_NO_OFFER = "That is no longer on offer here."
_LOOK_SECONDS = 1.0


class Conversation:
    """What SCAR says and understands in one front-end."""

    def __init__(
        self,
        front_end: FrontEnd,
        services: Services,
        events: Events,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._front_end = front_end
        self._services = services
        self._clock = clock
        self._stage = Stage(front_end, services, events, clock)
        self._parser = CommandParser(all_commands())
        self._choices = Menus(services.redis, services.signatures)
        self._messages: dict[tuple[str, Place], JobMessage] = {}
        self._said: deque[tuple[str, Place]] = deque(maxlen=1000)
        self._tasks: set[asyncio.Task[None]] = set()
        self._paces: dict[Place, EditThrottle] = {}

    async def resume(self) -> None:
        """Takes up the messages that an earlier run of this front-end left unfinished."""
        ledger = self._services.ledger
        watches = await asyncio.to_thread(ledger.watches, self._front_end.name)
        for (id, key), text in watches.items():
            try:
                await self._take_up(id, Place.of_key(key), json.loads(text))
            except (LookupError, TypeError, ValueError) as error:
                # It would be no better the next time, and keep all others.
                _log.error("message not understood", job=id, exc_info=error)
                await asyncio.to_thread(ledger.unwatch, self._front_end.name, id, key)

    async def _take_up(self, id: str, place: Place, watch: Mapping[str, Any]) -> None:
        if (id, place) in self._messages or (id, place) in self._said:
            return
        job = await asyncio.to_thread(self._services.ledger.get, id)
        if job is None:
            await self._forget(id, place)
        else:
            self._attend(job, place, watch)

    async def look_out(self) -> None:
        """Shows what others want to be shown here, as it comes; until cancelled."""
        while True:
            try:
                await self.resume()
            except ScarError as error:
                _log.warning("not looked for new messages", reason=error.message)
            await asyncio.sleep(_LOOK_SECONDS)

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

    async def receive(self, incoming: IncomingMessage) -> str | None:
        """Does what was asked. Returns a few words for whoever tapped a button."""
        try:
            return await self._hear(incoming)
        except ScarError as error:
            if incoming.button is None:
                self._say(incoming.place, refusal(error.record()))
            return error.message

    async def refuse(self, incoming: IncomingMessage, refused: ScarError) -> None:
        """Says why what was asked is not done; for what only the front-end can know."""
        await self._audit(
            incoming, clean(incoming.text).split()[0][:64], f"refused: {refused.code}"
        )
        self._say(incoming.place, refusal(refused.record()))

    async def _hear(self, incoming: IncomingMessage) -> str | None:
        if incoming.button and incoming.text not in ("yes", "no"):
            return await self._take_up_offer(incoming)
        projects = self._services.projects.projects.values()
        known = self._services.access.highest_role(incoming.actor, projects) is not None
        try:
            meant = self._parser.parse(incoming.text, bot_name=self._front_end.bot_name)
        except ScarError:
            if known:
                raise
            meant = None
            await self._refuse_stranger(incoming)
        if meant is None:
            return None
        if isinstance(meant, Answer):
            return await self._answer(incoming, meant, known=known)
        if not known:
            await self._refuse_stranger(incoming)
        elif incoming.sent_at < self._clock() - _TOO_OLD:
            self._say(incoming.place, _AGAIN)
        else:
            await self._command(incoming, meant)
        return None

    async def _take_up_offer(self, incoming: IncomingMessage) -> str | None:
        """Does what a tapped button offers, as if whoever tapped it had typed that."""
        assert incoming.button is not None
        if incoming.stale:
            return _AWAY
        id, _ = incoming.button
        text = await asyncio.to_thread(self._choices.take, incoming)
        if text is None:
            job = await asyncio.to_thread(self._services.ledger.get, id)
            command = self._services.job_service.commands.get(job.request.kind) if job else None
            buttons = command.view(job).buttons if job and command and job.state.ended else ()
            text = next((b.command for b in buttons if b.answer == incoming.text), None)
        if text is None:
            return _NO_OFFER
        await self._hear(replace(incoming, text=text, button=None))
        return None

    async def _refuse_stranger(self, incoming: IncomingMessage) -> None:
        word = clean(incoming.text).split()[:1]
        await self._audit(incoming, "".join(word)[:64], "refused: unauthorized")
        self._services.access.require(incoming.actor, Role.VIEWER, None)

    async def _command(self, incoming: IncomingMessage, spoken: ParsedCommand) -> None:
        """Does a command. Whatever comes of it, it takes an open question off the table."""
        command = spoken.command
        job: Job | None = None
        watch: dict[str, Any] = {}
        try:
            if isinstance(command, LocalCommand):
                await self._answer_here(incoming, command, spoken.words)
            elif isinstance(command, WindowCommand):
                watch = {"by": incoming.actor.to_json()}
                job = await self._open_window(incoming, command, spoken.words, watch)
            else:
                job = await asyncio.to_thread(self._submit, incoming, command, spoken.words)
        except WhichProject as question:
            await self._ask_which(incoming, question)
        finally:
            await self._drop_questions(incoming, except_of=job)
        if job and await self._unsaid(incoming, job):
            self._attend(job, incoming.place, watch)

    async def _open_window(
        self,
        incoming: IncomingMessage,
        command: WindowCommand,
        words: tuple[str, ...],
        watch: Mapping[str, Any],
    ) -> Job:
        """The job to show here; that it is to be shown is kept."""
        around = self._around(incoming)
        job = await asyncio.to_thread(command.find, incoming.actor, words, around)
        await self._audit(incoming, command.word, "answered")
        name, ledger = self._front_end.name, self._services.ledger
        if (job.id, incoming.place) not in self._messages:
            await asyncio.to_thread(
                ledger.watch, name, job.id, incoming.place.key, json.dumps(watch)
            )
        return job

    async def _ask_which(self, incoming: IncomingMessage, question: WhichProject) -> None:
        texts = list(question.choices.values())
        tag = await asyncio.to_thread(self._choices.offer, incoming.actor, incoming.place, texts)
        self._say(incoming.place, choice(f"❓ {question.message}", question.choices), tag)

    def _around(self, incoming: IncomingMessage) -> CommandContext:
        return replace(
            self._services.command_context, default=partial(self._default_project, incoming)
        )

    def _default_project(self, incoming: IncomingMessage) -> Project:
        """The project that the place is about, else the usual one."""
        known = self._services.projects.projects.get(incoming.project or "")
        return known or self._services.default_project()

    async def _answer_here(
        self, incoming: IncomingMessage, command: LocalCommand, words: tuple[str, ...]
    ) -> None:
        around = self._around(incoming)
        try:
            answer = await asyncio.to_thread(command.reply, incoming.actor, words, around)
        except ScarError as error:
            await self._audit(incoming, command.word, f"refused: {error.code}")
            raise
        await self._audit(incoming, command.word, "answered")
        self._say(incoming.place, answer)

    def _submit(
        self, incoming: IncomingMessage, command: JobCommand, words: tuple[str, ...]
    ) -> Job:
        projects = self._services.projects
        invocation = command.parse(words, projects, partial(self._default_project, incoming))
        return self._services.job_service.submit(
            incoming.actor,
            command,
            invocation.project,
            invocation.args,
            idempotency_key=incoming.key,
            watch=(self._front_end.name, incoming.place.key, "{}"),
        )

    async def _unsaid(self, incoming: IncomingMessage, job: Job) -> bool:
        """Whether the job was not shown to its end before; what is incoming again may have been."""
        if incoming.key is None:
            return True
        ledger = self._services.ledger
        watches = await asyncio.to_thread(ledger.watches, self._front_end.name)
        return (job.id, incoming.place.key) in watches

    async def _answer(
        self, incoming: IncomingMessage, answer: Answer, *, known: bool
    ) -> str | None:
        if incoming.button and not known:
            await self._refuse_stranger(incoming)
        message, asked = await self._question_for(incoming)
        if message is None or asked is None:
            return _NO_QUESTION if incoming.button else None
        if incoming.actor != message.opener:
            return f"Only {message.opener.name} can answer this."
        if incoming.stale or said_before(incoming, message, asked):
            if incoming.button is None:
                self._say(incoming.place, _AGAIN)
            return _AWAY
        if incoming.button and incoming.button[1] != asked.plan[:TAG_LENGTH]:
            return "The plan has changed; look at the new one."
        await self._confirm(incoming, answer, message, asked)
        return "Confirmed." if answer is Answer.YES else "Dropped."

    async def _confirm(
        self, incoming: IncomingMessage, answer: Answer, message: JobMessage, asked: OpenQuestion
    ) -> None:
        """Answers the question with the plan that was shown; where that fails it can be again."""
        message.asked, message.answered = None, asked.plan
        job_service = self._services.job_service
        confirm = partial(
            job_service.confirm, incoming.actor, message.job.id, answer.name, shown=asked.plan
        )
        try:
            await asyncio.to_thread(confirm)
        except ScarError:
            message.asked, message.answered = asked, None
            raise

    async def _question_for(
        self, incoming: IncomingMessage
    ) -> tuple[JobMessage | None, OpenQuestion | None]:
        """The question that a `yes` or `no` answers: the one tapped, or the latest of theirs."""
        if incoming.button:
            message = self._messages.get((incoming.button[0], incoming.place))
            found = [message] if message else []
        else:
            found = self._theirs(incoming)
        asked = [(message, question) for message in found if (question := await message.question())]
        return max(asked, key=lambda pair: pair[1].at, default=(None, None))

    def _theirs(self, incoming: IncomingMessage) -> list[JobMessage]:
        return [
            message
            for message in self._messages.values()
            if message.place == incoming.place and message.opener == incoming.actor
        ]

    async def _drop_questions(self, incoming: IncomingMessage, *, except_of: Job | None) -> None:
        """Another command takes what the same person has not confirmed off the table; what they
        look at of others' goes on."""
        for message in self._theirs(incoming):
            own = message.job.request.requested_by == incoming.actor
            if message.open and own and (except_of is None or message.job.id != except_of.id):
                message.asked = None
                with contextlib.suppress(ScarError):  # it expired or began in the same moment
                    await asyncio.to_thread(
                        self._services.job_service.cancel, incoming.actor, message.job.id
                    )

    def _attend(self, job: Job, place: Place, watch: Mapping[str, Any]) -> None:
        if (job.id, place) not in self._messages:
            message = JobMessage(self._stage, job, place, self._pace(place), watch)
            self._messages[job.id, place] = message
            self._begin(self._show(message))

    async def _show(self, message: JobMessage) -> None:
        try:
            await message.show()
        except ScarError as error:
            self._say(message.place, refusal(error.record()))
        finally:
            self._messages.pop((message.job.id, message.place), None)
            self._said.append((message.job.id, message.place))
        await self._forget(message.job.id, message.place)

    def _say(self, place: Place, document: Document, tag: str = "") -> None:
        """Says what belongs to no job, without keeping anybody waiting."""
        self._begin(self._send(place, self._front_end.fit(document), tag))

    async def _send(self, place: Place, document: Document, tag: str) -> None:
        """Sends it; tried again for a minute, then given up."""
        deadline = self._clock() + _TOO_OLD
        pace = self._pace(place)
        reference: str | None = None
        while True:
            try:
                async with pace.send(self._front_end.interval(place)):
                    if reference is None:
                        reference = (await self._front_end.send(place, document, tag)).reference
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

    def _pace(self, place: Place) -> EditThrottle:
        return self._paces.setdefault(place, EditThrottle())

    async def _audit(self, incoming: IncomingMessage, action: str, outcome: str) -> None:
        await asyncio.to_thread(self._services.audit.write, incoming.actor, action, outcome)

    async def _forget(self, id: str, place: Place) -> None:
        """The message says all there is to say; where Redis is away, the next run sees that."""
        try:
            unwatch = self._services.ledger.unwatch
            await asyncio.to_thread(unwatch, self._front_end.name, id, place.key)
        except ScarError as error:
            _log.warning("message not forgotten", job=id, reason=error.message)
