"""The line of a queued job's message that says what it waits for, and about how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice

import structlog

from scar.chat.context import ChatContext
from scar.errors import ScarError
from scar.jobs.durations import about, seconds_left
from scar.jobs.record import Job, JobState
from scar.jobs.record_reader import RecordReader

_FIRST_SECONDS = 3.0
_NEXT_SECONDS = 10.0
_MOST_READ = 100
_log = structlog.get_logger(__name__)


def waits(job: Job) -> bool:
    """Return whether the job waits to be run or planned, and its host has a live worker."""
    is_planned = job.state is JobState.AWAITING_CONFIRMATION and job.plan is None
    return (job.state is JobState.QUEUED or is_planned) and job.error is None


def wait_line(reader: RecordReader, job: Job, now: float) -> str | None:
    """Return the line: of the jobs that run on the host now, it names the one that will probably
    end first. None if no job runs. `now` is in seconds since the epoch.
    """
    running = [
        (seconds_left(reader, other, now), other)
        for other in islice(reader.recent(), _MOST_READ)
        if other.state is JobState.RUNNING and other.request.host == job.request.host
    ]
    if not running:
        return None
    endless = float("inf")
    left, first = min(running, key=lambda row: endless if row[0] is None else row[0])
    time = f", {about(left)}" if left is not None else ""
    return f"⏳ Waits behind {first.request.requested_by.name}'s {_named(first)}{time}"


def _named(job: Job) -> str:
    of = f" of {job.request.project}" if job.request.project else ""
    return f"{job.request.kind.replace('_', ' ')}{of}"


class WaitNotice:
    """Determines every few seconds what one job waits for. `job` returns the job's present state;
    `changed` is called if the line has changed.
    """

    def __init__(
        self, context: ChatContext, job: Callable[[], Job], changed: Callable[[], None]
    ) -> None:
        self._context = context
        self._job = job
        self._changed = changed
        self._line: str | None = None

    def line(self, job: Job) -> str | None:
        """Return the line to show below the job, None if there is none."""
        return self._line if waits(job) else None

    async def follow(self) -> None:
        """Update the line until the job is running or has ended, or until cancelled."""
        await asyncio.sleep(_FIRST_SECONDS)
        while not self._job().state.ended:
            if waits(self._job()):
                await self._look()
            await asyncio.sleep(_NEXT_SECONDS)

    async def _look(self) -> None:
        ledger = self._context.services.ledger
        try:
            now = self._context.clock()
            line = await asyncio.to_thread(wait_line, ledger, self._job(), now)
        except ScarError as error:
            _log.info("not known why a job waits", reason=error.message)
            return
        if line != self._line:
            self._line = line
            self._changed()
