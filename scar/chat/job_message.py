"""The message that shows a job in one place, edited until the job has ended."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import structlog

from scar.chat.bake_message import BakeFollower, with_bake
from scar.chat.context import ChatContext
from scar.chat.edit_throttle import EditThrottle
from scar.chat.end_delivery import deliver_end_notice, is_to_be_told
from scar.chat.end_notice import needs_notice
from scar.chat.front_end import Place, Undelivered
from scar.chat.job_view import view_job
from scar.chat.job_wait import WaitNotice
from scar.chat.message_moments import (
    attachment_version,
    before_first_event,
    has_content,
    if_current,
)
from scar.chat.message_state import MessageState, OpenQuestion
from scar.document import Document
from scar.errors import ScarError
from scar.jobs.record import Job, JobState
from scar.jobs.subscriptions import Subscription
from scar.json_object import JsonObject

TAG_LENGTH = 16
"""Number of characters of the plan's hash in a message's tag; platforms limit a button's data."""

_FIRST_SECONDS = 0.4
_FIRST_SECONDS_OF_QUESTION = 2.0
_PROOF_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class JobMessage:
    """The message of one job in one place of a front-end.

    `opener` is the person who may answer the job's question in this place: who asked for the job,
    or who displayed it here with `/job`. `question` is the question that can be answered now,
    `answered_plan` the hash of the plan that was last confirmed or refused. The message's state is
    stored as a subscription, so that a later process can continue the message.
    """

    def __init__(
        self,
        context: ChatContext,
        job: Job,
        place: Place,
        throttle: EditThrottle,
        state: MessageState,
    ) -> None:
        self._context = context
        self._throttle = throttle
        self._known_until = job.last_event
        self._saved = state
        self.job = before_first_event(job)
        self.place = place
        self.opener = state.opener or job.request.requested_by
        self.reference = state.reference
        self.notice: str | None = None
        self.question = if_current(state.question, job)
        self.answered_plan: str | None = None
        self._attached = state.attached
        self._tells_end = is_to_be_told(state, job)
        self._shown: Document | None = None
        self._proven_plan: JsonObject | None = None
        self._changed = asyncio.Event()
        self._wait = WaitNotice(context, lambda: self.job, self._changed.set)
        self._asking = asyncio.Lock()
        self._bake = BakeFollower(
            context, place, throttle, self._deliver, self._record_baked, state.baked
        )

    @property
    def unanswered(self) -> bool:
        """Whether the job awaits an answer to its question, even if the question is not shown
        yet.
        """
        waits = self.job.state is JobState.AWAITING_CONFIRMATION
        return waits and (self.job.plan is None or self.answered_plan != self.job.plan_hash)

    async def sent_question(self) -> OpenQuestion | None:
        """Return the open question; if it is being sent right now, wait until it was sent."""
        async with self._asking:
            return self.question

    async def show(self) -> None:
        """Send the message, edit it until the job has ended, and announce the end with a sound if
        `needs_notice` says so.

        Raises the API's error if it refuses to return the events, and `internal` if they stop
        before the job has ended.
        """
        reader = asyncio.create_task(self._read_events())
        waiting_for = asyncio.create_task(self._wait.follow())
        try:
            await self._wait_for_content(reader)
            while delivered := await self._deliver():
                if self.job.state.ended:
                    break
                if reader.done():
                    await reader
                    raise ScarError("internal", "The job's events ended early", "See /jobs.")
                await self._changed.wait()
                self._changed.clear()
            if delivered:
                await self._tell_end()
                await self._bake.follow(self.job, lambda: self.reference)
        finally:
            reader.cancel()
            waiting_for.cancel()
            await asyncio.gather(reader, waiting_for, return_exceptions=True)

    async def _tell_end(self) -> None:
        long_seconds = self._context.front_end.long_seconds
        if not self._tells_end or long_seconds is None:
            return
        if needs_notice(self.job, long_seconds=long_seconds):
            self.notice = await deliver_end_notice(
                self._context,
                self.place,
                self._throttle,
                self.job,
                reply_to=self.reference,
                record=self._record_notified,
            )

    async def _record_notified(self, notified: bool) -> None:
        await self._store(replace(self._state(), notified=notified))

    async def _read_events(self) -> None:
        """Read the job's events. No edit is made before all events are read that existed at the
        beginning.
        """
        try:
            async for event in self._context.events.follow(self.job.id):
                self.job = self.job.after(event)
                if event.id >= self._known_until:
                    self._changed.set()
        finally:
            self._changed.set()

    async def _wait_for_content(self, reader: asyncio.Task[None]) -> None:
        """Wait a moment for a quick job to end, so that one message shows its result without any
        edit.
        """
        if self.reference is not None:
            await self._changed.wait()
        asks = self.job.request.asks
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_SECONDS_OF_QUESTION if asks else _FIRST_SECONDS):
                while not (reader.done() or has_content(self.job)):
                    self._changed.clear()
                    await self._changed.wait()
        self._changed.clear()

    async def _deliver(self) -> bool:
        """Send or edit the message until it shows the job's present state; return False if it
        can never be delivered.
        """
        while await self._question_is_proven() and not self._shows(self._view(self.job)):
            interval = self._context.front_end.interval(self.place)
            is_new = self.reference is None
            try:
                async with (
                    self._throttle.send(interval) if is_new else self._throttle.edit(interval)
                ):
                    await self._context.finishing.run(self._put(self.job))
            except Undelivered as error:
                if error.gone and self.reference is not None:
                    self.reference = self._shown = None
                elif error.retry_after is None:
                    _log.warning("message given up", job=self.job.id, reason=str(error))
                    return False
                else:
                    self._throttle.pause(error.retry_after)
        return True

    async def _question_is_proven(self) -> bool:
        """Return whether the plan in a question is the one that the worker has signed. The events
        came over the API, and a person's `yes` must not depend on an API that could have changed
        them.
        """
        job = self.job
        while job.awaits_answer and job.plan != self._proven_plan:
            try:
                recorded = await asyncio.to_thread(self._context.services.ledger.get, job.id)
            except ScarError as error:
                if error.code == "tampered":
                    raise
                _log.warning("question not proven yet", job=job.id, reason=error.message)
                await asyncio.sleep(_PROOF_SECONDS)
                continue
            if recorded is None or recorded.plan != job.plan:
                return False  # the job was planned again meanwhile, and the events of that follow
            self._proven_plan = job.plan
        return True

    def _shows(self, document: Document) -> bool:
        version = attachment_version(self.job)
        attached = version is None or self._attached == version
        return document == self._shown and (attached or not document.files)

    async def _put(self, job: Job) -> None:
        """Send what has changed of the message, then its attachment; store the state after each."""
        document, plan = self._view(job), job.plan_hash
        asks = job.awaits_answer
        if not asks or (self.question and self.question.plan != plan):
            self.question = None
        if document != self._shown or self.reference is None:
            async with self._asking if asks else contextlib.nullcontext():
                at = await self._write(document, f"{job.id}:{plan[:TAG_LENGTH]}")
                self._shown = document
                if asks and self.question is None and self.answered_plan != plan:
                    self.question = OpenQuestion(plan, at)
        await self._save()
        version = attachment_version(job)
        if document.files and version and version != self._attached:
            await self._attach(document)
            self._attached = version
            await self._save()

    async def _write(self, document: Document, tag: str) -> float:
        front_end = self._context.front_end
        if self.reference is not None:
            return await front_end.edit(self.place, self.reference, document, tag)
        sent = await front_end.send(self.place, document, tag)
        self.reference = sent.reference
        return sent.at

    async def _attach(self, document: Document) -> None:
        front_end, reference = self._context.front_end, self.reference or ""
        if document.attachment:
            await front_end.attach(self.place, reference, document.attachment)
        if document.picture:
            await front_end.send_picture(self.place, reference, document.picture)

    async def _save(self) -> None:
        """Store the state if it has changed. If Redis is unavailable, the next edit stores it."""
        state = self._state()
        if state == self._saved:
            return
        try:
            await self._store(state)
        except ScarError as error:
            _log.warning("message not noted", job=self.job.id, reason=error.message)

    def _state(self) -> MessageState:
        return replace(
            self._saved,
            reference=self.reference,
            attached=self._attached,
            question=self.question,
        )

    async def _record_baked(self, told: str) -> None:
        await self._store(replace(self._state(), baked=told))

    async def _store(self, state: MessageState) -> None:
        name, services = self._context.front_end.name, self._context.services
        subscription = Subscription(name, self.job.id, self.place.key, state.to_text())
        await asyncio.to_thread(services.subscriptions.put, subscription)
        self._saved = state

    def _view(self, job: Job) -> Document:
        services = self._context.services
        document = view_job(services.job_service.commands[job.request.kind], job)
        if line := self._wait.line(job):
            document = document.with_line(line)
        return self._context.front_end.fit(with_bake(document, self._bake.bake))
