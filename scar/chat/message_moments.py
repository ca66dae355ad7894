"""Decides what a job's message shows at a given state of the job."""

from __future__ import annotations

from scar.chat.message_state import OpenQuestion
from scar.commands.notices import waiting
from scar.jobs.record import Job, JobState

_ENDED = "end"


def if_current(question: OpenQuestion | None, job: Job) -> OpenQuestion | None:
    """Return the question that an earlier process showed, if the job still awaits an answer to
    it.
    """
    current = question and job.awaits_answer and question.plan == job.plan_hash
    return question if current else None


def before_first_event(job: Job) -> Job:
    """Return the job as it was before its events, which are then applied one by one."""
    if job.state.ended:
        return Job(request=job.request, state=JobState.QUEUED)
    return Job(request=job.request, state=job.state, error=job.error)


def attachment_version(job: Job) -> str | None:
    """Return the plan's hash, or "end": an attachment is sent once for each of them. None while
    the job runs.
    """
    if job.state.ended:
        return _ENDED
    return job.plan_hash if job.awaits_answer else None


def has_content(job: Job) -> bool:
    """Return whether the message shows more than that the job was received."""
    waits = job.state is JobState.AWAITING_CONFIRMATION and job.error is not None
    return job.state.ended or job.awaits_answer or waits or waiting(job) is not None
