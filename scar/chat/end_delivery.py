"""Sends the message that announces a job's end, at most once even if the process is killed
meanwhile.
"""

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
"""A function that stores whether the message was, or may have been, sent; it raises `ScarError` if
it cannot.
"""


def is_to_be_told(state: MessageState, job: Job) -> bool:
    """Return whether the job's end is announced in the place of a message with this state.

    A message that `/job` opened is followed by an announcement only if the job was unfinished then,
    and not for the person who requested the job, since they get it in the place of their request.
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

    The intent is recorded first, and withdrawn if the platform refuses the message. After a kill in
    between, it is unknown whether the message was delivered, and it is not sent again.
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
