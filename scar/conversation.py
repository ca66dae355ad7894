"""The chat experience, the same for every front-end: ask, confirm, follow, one message a job.

A front-end hands in what people say (`Conversation.hear`) and can send and edit messages
(`FrontEnd`). Everything else is here: whom to believe, what a text means, when a `yes` counts,
when a message is worth an edit, and how a message is taken up again after a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from scar.access import Actor, Role
from scar.commands import all_commands
from scar.commands.command import JobCommand, LocalCommand, refusal, waiting
from scar.commands.language import Answer, Language, Spoken
from scar.document import Document
from scar.errors import ScarError
from scar.intake import awaiting
from scar.jobs.record import Event, Job, JobState
from scar.wiring import Wiring

TAG_LENGTH = 16
_log = structlog.get_logger(__name__)
_TOO_OLD = 60.0
_FIRST_LOOK = 0.4
_AWAY = Document.of(
    "⌛ That came while I was away, or took too long to reach me: nothing was done.",
    "💡 Send it again if you still want it.",
)


@dataclass(frozen=True)
class Place:
    """Where a message stands: a chat, and a thread in it where the chat has threads."""

    chat: str
    thread: str | None = None


@dataclass(frozen=True)
class Heard:
    """Something that a person said or tapped. `sent_at` is seconds since the epoch.

    `button` is the job and the plan that a tapped button stood under; `number` the message's place
    in its chat, where the chat counts its messages.
    """

    actor: Actor
    place: Place
    text: str
    sent_at: float
    button: tuple[str, str] | None = None
    number: int | None = None


class Undelivered(Exception):
    """A message could not be sent or edited; `retry_after` seconds, or None: never."""

    def __init__(self, reason: str, retry_after: float | None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class FrontEnd(Protocol):
    """All that a front-end is to the conversation."""

    name: str
    bot_name: str | None

    async def send(self, place: Place, document: Document, tag: str) -> str:
        """Sends a message and returns its reference. `tag` goes with its buttons."""

    async def edit(self, place: Place, reference: str, document: Document, tag: str) -> None:
        """Shows `document` in a message sent before; the same content again is no error."""

    def interval(self, place: Place) -> float:
        """The least seconds between two edits in that place."""


class Events(Protocol):
    """Where a job's events are read from."""

    def follow(self, id: str, after: int = 0) -> AsyncIterator[Event]:
        """The events that follow `after`, until the job has ended."""


@dataclass
class _Message:
    """The one message of a job. `asked_at` is when its question was shown, in seconds."""

    job: Job
    place: Place
    reference: str | None = None
    asked_at: float | None = None
    shown: Document | None = None


class Pace:
    """Spaces the edits of one place."""

    def __init__(self) -> None:
        self._next = 0.0

    async def turn(self, interval: float) -> None:
        """Waits until the next edit may be made, and takes that turn."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._next - loop.time()))
        self.began(interval)

    def began(self, interval: float) -> None:
        """Notes that a message was sent or edited just now."""
        self._next = asyncio.get_running_loop().time() + interval


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
        self._events = events
        self._clock = clock
        self._language = Language(all_commands())
        self._messages: dict[str, _Message] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._paces: dict[Place, Pace] = {}

    async def resume(self) -> None:
        """Takes up the messages that an earlier run of this front-end left unfinished."""
        for id, text in (await asyncio.to_thread(self._watches)).items():
            found = json.loads(text)
            job = await asyncio.to_thread(self._wiring.ledger.get, id)
            if job is None:
                await asyncio.to_thread(self._forget, id)
                continue
            place = Place(found["chat"], found["thread"])
            self._attend(_Message(_unread(job), place, found["reference"]))

    async def settle(self) -> None:
        """Waits until every message under way shows the end of its job."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

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
            await self._say(heard.place, refusal(error.record()))
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
            return await self._answer(heard, meant)
        if not known:
            await self._refuse_stranger(heard)
        elif self._too_old(heard):
            await self._say(heard.place, _AWAY)
        else:
            await self._drop_questions(heard)
            await self._command(heard, meant)
        return None

    async def _refuse_stranger(self, heard: Heard) -> None:
        audit = self._wiring.audit.write
        await asyncio.to_thread(audit, heard.actor, heard.text, "refused: unauthorized")
        self._wiring.access.require(heard.actor, Role.VIEWER, None)

    def _too_old(self, heard: Heard) -> bool:
        """Whether it lay on the way for so long that it may no longer be meant."""
        return heard.sent_at < self._clock() - _TOO_OLD

    async def _command(self, heard: Heard, spoken: Spoken) -> None:
        command = spoken.command
        if isinstance(command, LocalCommand):
            around = self._wiring.surroundings
            try:
                answer = await asyncio.to_thread(command.reply, heard.actor, spoken.words, around)
            except ScarError as error:
                outcome = f"refused: {error.code}"
                await self._audit(heard.actor, command.word, outcome)
                raise
            await self._audit(heard.actor, command.word, "answered")
            await self._say(heard.place, answer)
            return
        job = await asyncio.to_thread(self._submit, heard, command, spoken.words)
        self._attend(_Message(_unread(job), heard.place))

    def _submit(self, heard: Heard, command: JobCommand, words: tuple[str, ...]) -> Job:
        projects = self._wiring.projects
        invocation = command.parse(words, projects, self._wiring.default_project)
        watch = json.dumps(_watch(heard.place, None))
        return self._wiring.intake.submit(
            heard.actor,
            command,
            invocation.project,
            invocation.args,
            watch=(self._front_end.name, watch),
        )

    async def _answer(self, heard: Heard, answer: Answer) -> str | None:
        message = self._question_for(heard)
        if message is None:
            return "There is nothing to confirm here." if heard.button else None
        if heard.actor != message.job.request.requested_by:
            return f"Only {message.job.request.requested_by.name} can answer this."
        plan = str((message.job.plan or {}).get("hash"))
        if heard.button and heard.button[1] != plan[:TAG_LENGTH]:
            return "The plan has changed; look at the new one."
        intake = self._wiring.intake
        confirm = partial(intake.confirm, heard.actor, message.job.id, answer.name, shown=plan)
        await asyncio.to_thread(confirm)
        message.asked_at = None
        return "Confirmed." if answer is Answer.YES else "Dropped."

    def _question_for(self, heard: Heard) -> _Message | None:
        """The question that a `yes` or `no` answers, if it was said after it was asked."""
        if heard.button:
            message = self._messages.get(heard.button[0])
            found = [message] if message else []
        else:
            found = [
                message
                for message in self._messages.values()
                if message.place == heard.place
                and message.job.request.requested_by == heard.actor
                and not _said_before(heard, message)
            ]
        asked = [message for message in found if message.asked_at is not None]
        return asked[-1] if asked else None

    async def _drop_questions(self, heard: Heard) -> None:
        """Another command takes the question of the same person off the table."""
        for message in list(self._messages.values()):
            if (
                message.asked_at is not None
                and message.place == heard.place
                and message.job.request.requested_by == heard.actor
            ):
                message.asked_at = None
                with contextlib.suppress(ScarError):  # it expired or began in the same moment
                    await asyncio.to_thread(self._wiring.intake.cancel, heard.actor, message.job.id)

    def _attend(self, message: _Message) -> None:
        self._messages[message.job.id] = message
        task = asyncio.create_task(self._show(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _show(self, message: _Message) -> None:
        """Keeps a job's message true until the job has ended and the message says so."""
        changed = asyncio.Event()
        reader = asyncio.create_task(self._read(message, changed))
        try:
            while True:
                await changed.wait()
                changed.clear()
                if message.reference is None and not _worth_saying(message.job):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), _FIRST_LOOK)
                    changed.clear()
                if not await self._deliver(message) or _finished(message):
                    break
        except ScarError as error:
            await self._say(message.place, refusal(error.record()))
        finally:
            reader.cancel()
            self._messages.pop(message.job.id, None)
        await asyncio.to_thread(self._forget, message.job.id)

    async def _read(self, message: _Message, changed: asyncio.Event) -> None:
        async for event in self._events.follow(message.job.id):
            message.job = message.job.after(event)
            changed.set()

    async def _deliver(self, message: _Message) -> bool:
        """Shows the job as it stands; False where that message can never be shown again."""
        interval = self._front_end.interval(message.place)
        pace = self._paces.setdefault(message.place, Pace())
        while True:
            if message.reference is not None:
                if self._document(message.job) == message.shown:
                    return True
                await pace.turn(interval)
            job = message.job
            document = self._document(job)
            message.asked_at = self._clock() if awaiting(job) else None
            try:
                await self._put(message, document)
            except Undelivered as error:
                if error.retry_after is None:
                    _log.warning("message given up", job=job.id, reason=str(error))
                    return False
                await asyncio.sleep(error.retry_after)
                continue
            pace.began(interval)
            message.shown = document
            if message.job is job:
                return True

    async def _put(self, message: _Message, document: Document) -> None:
        tag = f"{message.job.id}:{str((message.job.plan or {}).get('hash'))[:TAG_LENGTH]}"
        if message.reference is not None:
            await self._front_end.edit(message.place, message.reference, document, tag)
            return
        message.reference = await self._front_end.send(message.place, document, tag)
        await asyncio.to_thread(self._remember, message)

    def _document(self, job: Job) -> Document:
        command = self._wiring.intake.commands[job.request.kind]
        if awaiting(job):
            document = command.question(job)
        elif job.state is JobState.AWAITING_CONFIRMATION:
            document = waiting(job) or Document.of("🔍 Looking at what would change...")
        elif job.error and not job.steps and job.state in (JobState.CANCELLED, JobState.EXPIRED):
            document = refusal(job.error)
        else:
            document = command.view(job)
        problem = self._wiring.projects.problem
        return document.with_line(f"⚠️ {problem.message}") if problem else document

    async def _say(self, place: Place, document: Document) -> None:
        """Sends what belongs to no job; tried again for a minute, then given up."""
        deadline = self._clock() + _TOO_OLD
        while True:
            try:
                await self._front_end.send(place, document, "")
            except Undelivered as error:
                if error.retry_after is None or self._clock() > deadline:
                    _log.warning("answer given up", reason=str(error))
                    return
                await asyncio.sleep(error.retry_after)
            else:
                return

    async def _audit(self, actor: Actor, action: str, outcome: str) -> None:
        await asyncio.to_thread(self._wiring.audit.write, actor, action, outcome)

    def _watches(self) -> dict[str, str]:
        return self._wiring.ledger.watches(self._front_end.name)

    def _remember(self, message: _Message) -> None:
        text = json.dumps(_watch(message.place, message.reference))
        self._wiring.ledger.watch(self._front_end.name, message.job.id, text)

    def _forget(self, id: str) -> None:
        self._wiring.ledger.unwatch(self._front_end.name, id)


def _watch(place: Place, reference: str | None) -> dict[str, str | None]:
    """What a front-end has to know to take a message up again."""
    return {"chat": place.chat, "thread": place.thread, "reference": reference}


def _unread(job: Job) -> Job:
    """The job before its first event: its events tell the rest."""
    return Job(request=job.request, state=JobState.QUEUED)


def _worth_saying(job: Job) -> bool:
    return job.state.ended or awaiting(job)


def _finished(message: _Message) -> bool:
    return message.job.state.ended


def _said_before(heard: Heard, message: _Message) -> bool:
    """Whether a `yes` was on its way before its question was shown.

    Front-ends date in whole seconds, so within one second the numbers of the messages decide.
    """
    if message.asked_at is not None and int(heard.sent_at) < int(message.asked_at):
        return True
    numbered = heard.number is not None and (message.reference or "").isdigit()
    return numbered and (heard.number or 0) < int(message.reference or 0)
