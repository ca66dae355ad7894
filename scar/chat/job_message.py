"""The one message of a job: kept true until the job has ended and the message says so."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from scar.access import Actor
from scar.bootstrap import Services
from scar.chat.edit_throttle import EditThrottle
from scar.chat.front_end import Events, FrontEnd, IncomingMessage, Place, Undelivered
from scar.commands.notices import refusal, waiting
from scar.document import Document
from scar.errors import ErrorRecord, ScarError
from scar.job_service import awaiting
from scar.jobs.record import Job, JobState

TAG_LENGTH = 16
_PATIENCE = {False: 0.4, True: 2.0}
_END = "end"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class OpenQuestion:
    """A question that is on the table: the plan it showed, and since when, in seconds."""

    plan: str
    at: float


@dataclass(frozen=True)
class Stage:
    """Where messages are shown and kept: one for all messages of a front-end."""

    front_end: FrontEnd
    services: Services
    events: Events
    clock: Callable[[], float]


class JobMessage:
    """A job as one place sees it.

    `opener` is who may answer its question here: who asked for the job, or opened this window on
    it. `asked` is the question on the table, `answered` the plan that was answered last. What a
    later run needs to take the message up again is kept on the ledger (`watch`).
    """

    def __init__(
        self, stage: Stage, job: Job, place: Place, pace: EditThrottle, watch: Mapping[str, Any]
    ) -> None:
        self._stage = stage
        self._pace = pace
        self._begun = job
        self.job = _unread(job)
        self.place = place
        by = watch.get("by")
        self.opener = Actor.from_json(by) if by else job.request.requested_by
        self.reference: str | None = watch.get("reference")
        self.asked = _asked_before(job, watch)
        self.answered: str | None = None
        self._attached: str | None = watch.get("attached")
        self._kept = dict(watch)
        self._shown: Document | None = None
        self._changed = asyncio.Event()
        self._asking = asyncio.Lock()

    @property
    def open(self) -> bool:
        """Whether the job still waits for an answer, asked or not yet."""
        waits = self.job.state is JobState.AWAITING_CONFIRMATION
        return waits and (self.job.plan is None or self.answered != plan_hash(self.job))

    async def question(self) -> OpenQuestion | None:
        """The question on the table; one that is being sent just now is waited for."""
        async with self._asking:
            return self.asked

    async def show(self) -> None:
        """Shows the job until it has ended; raises what its events cannot be read for."""
        reader = asyncio.create_task(self._read())
        try:
            await self._first_look(reader)
            while await self._deliver() and not self.job.state.ended:
                if reader.done():
                    await reader
                    raise ScarError("internal", "The job's events ended early", "See /jobs.")
                await self._changed.wait()
                self._changed.clear()
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self) -> None:
        """Follows the job. Nothing is shown before the events reach what was known already."""
        try:
            async for event in self._stage.events.follow(self.job.id):
                self.job = self.job.after(event)
                if event.id >= self._begun.last_event:
                    self._changed.set()
        finally:
            self._changed.set()

    async def _first_look(self, reader: asyncio.Task[None]) -> None:
        """Gives a quick job the time to end: one message instead of one and an edit."""
        if self.reference is not None:
            await self._changed.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE[self.job.request.asks]):
                while not (reader.done() or _worth_saying(self.job)):
                    self._changed.clear()
                    await self._changed.wait()
        self._changed.clear()

    async def _deliver(self) -> bool:
        """Shows the job as it stands; False where it can never be shown there."""
        while True:
            job = self.job
            if self._says_all(self._document(job)):
                return True
            interval = self._stage.front_end.interval(self.place)
            first = self.reference is None
            try:
                async with self._pace.send(interval) if first else self._pace.edit(interval):
                    job = self.job
                    await self._put(job, self._document(job))
            except Undelivered as error:
                if error.gone and self.reference is not None:
                    self.reference = self._shown = None
                elif error.retry_after is None:
                    _log.warning("message given up", job=job.id, reason=str(error))
                    return False
                else:
                    self._pace.hold(error.retry_after)

    def _says_all(self, document: Document) -> bool:
        attached = document.attachment is None or self._attached == self._chapter(self.job)
        return document == self._shown and (attached or self._chapter(self.job) is None)

    async def _put(self, job: Job, document: Document) -> None:
        plan = plan_hash(job)
        if not awaiting(job) or (self.asked and self.asked.plan != plan):
            self.asked = None
        if document != self._shown or self.reference is None:
            async with self._asking if awaiting(job) else contextlib.nullcontext():
                at = await self._write(document, f"{job.id}:{plan[:TAG_LENGTH]}")
                self._shown = document
                if awaiting(job) and self.asked is None and self.answered != plan:
                    self.asked = OpenQuestion(plan, at)
        await self._keep()
        chapter = self._chapter(job)
        if document.attachment and chapter and chapter != self._attached:
            front_end = self._stage.front_end
            await front_end.attach(self.place, self.reference or "", document.attachment)
            self._attached = chapter
            await self._keep()

    async def _write(self, document: Document, tag: str) -> float:
        front_end = self._stage.front_end
        if self.reference is not None:
            return await front_end.edit(self.place, self.reference, document, tag)
        sent = await front_end.send(self.place, document, tag)
        self.reference = sent.reference
        return sent.at

    def _chapter(self, job: Job) -> str | None:
        """What a file is sent for once: each plan, and the end."""
        if job.state.ended:
            return _END
        return plan_hash(job) if awaiting(job) else None

    async def _keep(self) -> None:
        """Notes what a later run needs; tried again with the next edit where Redis is away."""
        found = {
            **self._kept,
            "reference": self.reference,
            "attached": self._attached,
            "asked": asdict(self.asked) if self.asked else None,
        }
        if found == self._kept:
            return
        ledger, name = self._stage.services.ledger, self._stage.front_end.name
        try:
            await asyncio.to_thread(
                ledger.watch, name, self.job.id, self.place.key, json.dumps(found)
            )
            self._kept = found
        except ScarError as error:
            _log.warning("message not noted", job=self.job.id, reason=error.message)

    def _document(self, job: Job) -> Document:
        command = self._stage.services.job_service.commands[job.request.kind]
        if awaiting(job):
            document = command.question(job)
        elif job.state is JobState.AWAITING_CONFIRMATION:
            document = _planning(job.error)
        elif job.error and not job.steps and job.state in (JobState.CANCELLED, JobState.EXPIRED):
            document = refusal(job.error)
        else:
            document = command.view(job)
        problem = self._stage.services.projects.problem
        if problem:
            document = document.with_line(f"⚠️ {problem.message}")
        return self._stage.front_end.fit(document)


def _asked_before(job: Job, watch: Mapping[str, Any]) -> OpenQuestion | None:
    """The question that an earlier run put on the table, if it is there still."""
    asked = OpenQuestion(**watch["asked"]) if watch.get("asked") else None
    return asked if asked and awaiting(job) and asked.plan == plan_hash(job) else None


def plan_hash(job: Job) -> str:
    """The hash of the job's plan; empty where it has none."""
    return str((job.plan or {}).get("hash", ""))


def said_before(incoming: IncomingMessage, message: JobMessage, asked: OpenQuestion) -> bool:
    """Whether a `yes` was on its way before its question was shown.

    Platforms date in whole seconds, so within one second the numbers of the messages decide.
    """
    if int(incoming.sent_at) < int(asked.at):
        return True
    numbered = incoming.number is not None and (message.reference or "").isdigit()
    return numbered and (incoming.number or 0) < int(message.reference or 0)


def _planning(error: ErrorRecord | None) -> Document:
    if error:
        return Document.of(f"⏳ {error.message}", f"💡 {error.hint}")
    return Document.of("🔍 Looking at what would change...")


def _unread(job: Job) -> Job:
    """The job before its first event: its events tell the rest."""
    if job.state.ended:
        return Job(request=job.request, state=JobState.QUEUED)
    return Job(request=job.request, state=job.state, error=job.error)


def _worth_saying(job: Job) -> bool:
    waits = job.state is JobState.AWAITING_CONFIRMATION and job.error is not None
    return job.state.ended or awaiting(job) or waits or waiting(job) is not None
