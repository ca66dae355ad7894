"""Delivers the message that tells of a job's end, at most once, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from scar.chat.context import ChatContext
from scar.chat.edit_throttle import EditThrottle
from scar.chat.end_notice import end_notice
from scar.chat.front_end import Place, Undelivered
from scar.chat.message_state import MessageState
from scar.errors import ScarError
from scar.jobs.record import Job

_RETRY_SECONDS = 1.0
_log = structlog.get_logger(__name__)

RecordNotified = Callable[[bool], Awaitable[None]]
"""Stores whether the message was or may have been sent; raises `ScarError` where it cannot."""


def is_to_be_told(state: MessageState, job: Job) -> bool:
    """Return whether the end of the job is to be told beside a message in this state.

    A window that was opened with `/job` tells of the end only where the job went on then, and
    nothing to the person who is told where they asked for it.
    """
    if state.notified:
        return False
    if state.opener is None:
        return True
    was_open = state.reference is not None or not job.state.ended
    return was_open and state.opener != job.request.requested_by


async def deliver_end_notice(
    context: ChatContext,
    place: Place,
    throttle: EditThrottle,
    job: Job,
    *,
    reply_to: str | None,
    record: RecordNotified,
) -> str | None:
    """Send the message; return its reference, None where it was not delivered.

    The intent is recorded first, and withdrawn where the platform refuses it: after a kill in
    between, nobody can know whether it was delivered, and it is not sent again.
    """
    front_end = context.front_end

    async def send() -> str:
        await record(True)
        try:
            document, tag = front_end.fit(end_notice(job)), f"{job.id}:"
            return (await front_end.notify(place, document, tag, reply_to=reply_to)).reference
        except Undelivered as error:
            if not error.unsure:
                with contextlib.suppress(ScarError):
                    await record(False)
            raise

    while True:
        try:
            async with throttle.send(front_end.interval(place)):
                return await context.finishing.run(send())
        except Undelivered as error:
            if error.retry_after is None or error.unsure:
                _log.warning("end of a job not told", job=job.id, reason=str(error))
                return None
            throttle.pause(error.retry_after)
        except ScarError as error:
            _log.warning("end of a job not told yet", job=job.id, reason=error.message)
            await asyncio.sleep(_RETRY_SECONDS)
