"""Sends messages that belong to no job, such as replies and refusals."""

from __future__ import annotations

import structlog

from scar.chat.background_tasks import BackgroundTasks
from scar.chat.context import ChatContext
from scar.chat.edit_throttle import EditThrottle
from scar.chat.front_end import Place, Undelivered
from scar.document import Document

_RETRY_SECONDS = 60.0
_log = structlog.get_logger(__name__)


class Sender:
    """Sends messages to the places of one front-end, and holds the throttle of each place."""

    def __init__(self, context: ChatContext, tasks: BackgroundTasks) -> None:
        self._front_end = context.front_end
        self._finishing = context.finishing
        self._clock = context.clock
        self._tasks = tasks
        self._counters = context.services.counters
        self._throttles: dict[Place, EditThrottle] = {}

    def throttle(self, place: Place) -> EditThrottle:
        """Return the throttle of a place, which all messages there share."""
        if place not in self._throttles:
            self._throttles[place] = EditThrottle(self._count)
        return self._throttles[place]

    def _count(self, outcome: str) -> None:
        self._counters.add("messages", self._front_end.name, outcome)

    def send(self, place: Place, document: Document, tag: str = "") -> None:
        """Send a document in the background; give up after a minute of failed attempts."""
        self._tasks.start(self._deliver(place, self._front_end.fit(document), tag))

    async def _deliver(self, place: Place, document: Document, tag: str) -> None:
        deadline = self._clock() + _RETRY_SECONDS
        throttle = self.throttle(place)
        reference: str | None = None

        async def send() -> None:
            nonlocal reference
            if reference is None:
                reference = (await self._front_end.send(place, document, tag)).reference
            if document.attachment:
                await self._front_end.attach(place, reference, document.attachment)

        while True:
            try:
                async with throttle.send(self._front_end.interval(place)):
                    await self._finishing.run(send())
                return
            except Undelivered as error:
                if error.retry_after is None or self._clock() + error.retry_after > deadline:
                    _log.warning("answer given up", reason=str(error))
                    return
                throttle.pause(error.retry_after)
