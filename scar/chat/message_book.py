"""The messages that are still edited because their job has not ended, by job and place."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

import structlog

from scar.access import Actor
from scar.chat.background_tasks import BackgroundTasks
from scar.chat.context import ChatContext
from scar.chat.front_end import Place
from scar.chat.job_message import JobMessage
from scar.chat.message_state import MessageState
from scar.chat.sender import Sender
from scar.chat.shown_messages import ShownMessages
from scar.commands.notices import refusal
from scar.errors import ScarError
from scar.jobs.record import Job
from scar.jobs.subscriptions import Subscription
from scar.json_object import MALFORMED

_LOOK_SECONDS = 1.0
_REMEMBERED = 1000
_log = structlog.get_logger(__name__)


class MessageBook:
    """Keeps one message for each job and place of a front-end, until the message shows the job's
    end; then deletes the message's subscription.
    """

    def __init__(self, context: ChatContext, sender: Sender, tasks: BackgroundTasks) -> None:
        self._context = context
        self._subscriptions = context.services.subscriptions
        self._name = context.front_end.name
        self._sender = sender
        self._tasks = tasks
        services = context.services
        self.shown = ShownMessages(services.redis, services.signatures, self._name)
        self._open: dict[tuple[str, Place], JobMessage] = {}
        self._completed: deque[tuple[str, Place]] = deque(maxlen=_REMEMBERED)

    def at(self, place: Place, reference: str) -> JobMessage | None:
        """Return the unfinished message with this reference, or None."""
        open_there = (m for m in self._open.values() if m.place == place)
        return next((m for m in open_there if m.reference == reference), None)

    def get(self, job_id: str, place: Place) -> JobMessage | None:
        """Return the unfinished message of a job in a place, or None."""
        return self._open.get((job_id, place))

    def opened_by(self, actor: Actor, place: Place) -> Iterator[JobMessage]:
        """Yield the unfinished messages in a place whose questions `actor` may answer."""
        for message in list(self._open.values()):
            if message.place == place and message.opener == actor:
                yield message

    def open(self, job: Job, place: Place, state: MessageState) -> None:
        """Begin to show a job in a place, unless a message there already shows it."""
        if (job.id, place) not in self._open:
            throttle = self._sender.throttle(place)
            message = JobMessage(self._context, job, place, throttle, state)
            self._open[job.id, place] = message
            self._tasks.start(self._show(message))

    async def subscribe(self, job: Job, place: Place, state: MessageState) -> None:
        """Store on Redis that a job is to be shown in a place, unless a message there already
        shows it.
        """
        if (job.id, place) not in self._open:
            subscription = Subscription(self._name, job.id, place.key, state.to_text())
            await asyncio.to_thread(self._subscriptions.put, subscription)

    async def is_subscribed(self, job: Job, place: Place) -> bool:
        """Return whether Redis still has a subscription for the job in the place."""
        subscriptions = await asyncio.to_thread(self._subscriptions.of, self._name)
        return any(s.job_id == job.id and s.place == place.key for s in subscriptions)

    async def resume(self) -> None:
        """Show each job that this front-end is subscribed to and that has no message in this
        process.

        A subscription that cannot be parsed is logged and deleted, since it would fail every time.
        """
        for subscription in await asyncio.to_thread(self._subscriptions.of, self._name):
            try:
                await self._resume(subscription)
            except (*MALFORMED, ScarError) as error:
                if isinstance(error, ScarError) and error.code != "tampered":
                    raise
                _log.error("message not understood", job=subscription.job_id, exc_info=error)
                await asyncio.to_thread(self._subscriptions.drop, subscription)

    async def follow_subscriptions(self) -> None:
        """Poll the subscriptions every second, and show the jobs that other processes subscribed
        this front-end to.
        """
        while True:
            try:
                await self.resume()
            except ScarError as error:
                _log.warning("not looked for new messages", reason=error.message)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _resume(self, subscription: Subscription) -> None:
        place = Place.of_key(subscription.place)
        state = MessageState.from_text(subscription.message)
        key = subscription.job_id, place
        if key in self._open or key in self._completed:
            return
        job = await asyncio.to_thread(self._context.services.ledger.get, subscription.job_id)
        if job is None:
            await self._unsubscribe(*key)
        else:
            self.open(job, place, state)

    async def _show(self, message: JobMessage) -> None:
        key = message.job.id, message.place
        # Each message has its own task, and so its own context.
        structlog.contextvars.bind_contextvars(job=message.job.id)
        try:
            await message.show()
        except ScarError as error:
            self._sender.send(message.place, refusal(error.record()))
        finally:
            self._open.pop(key, None)
            self._completed.append(key)
        await self._keep_shown(message)
        await self._unsubscribe(*key)

    async def _keep_shown(self, message: JobMessage) -> None:
        """Store which job the message and its end notice show, so that people can reply to both."""
        for reference in filter(None, (message.reference, message.notice)):
            try:
                await asyncio.to_thread(self.shown.put, message.place, reference, message.job.id)
            except ScarError as error:
                _log.warning("message not kept", job=message.job.id, reason=error.message)

    async def _unsubscribe(self, job_id: str, place: Place) -> None:
        """Delete a subscription. If Redis is unavailable it stays, and the next process deletes
        it.
        """
        subscription = Subscription(self._name, job_id, place.key)
        try:
            await asyncio.to_thread(self._subscriptions.drop, subscription)
        except ScarError as error:
            _log.warning("message not forgotten", job=job_id, reason=error.message)
