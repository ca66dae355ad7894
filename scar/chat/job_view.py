"""A job as a document: the same in a chat message and in the shell."""

from __future__ import annotations

from scar.commands.again import with_again
from scar.commands.job_command import JobCommand
from scar.commands.notices import refusal
from scar.document import Document
from scar.errors import ErrorRecord
from scar.jobs.record import Job, JobState


def view_job(command: JobCommand, job: Job) -> Document:
    """Return the document for the job's present state: the question while it awaits an answer, the
    error if no worker can plan it, else the view of its command; at its end with buttons for the
    next step.
    """
    return with_again(_view(command, job), job)


def _view(command: JobCommand, job: Job) -> Document:
    if job.awaits_answer:
        return command.question(job)
    if job.state is JobState.AWAITING_CONFIRMATION:
        return _planning(job.error)
    if job.error and not job.steps and job.state in (JobState.CANCELLED, JobState.EXPIRED):
        return refusal(job.error)
    return command.view(job)


def _planning(error: ErrorRecord | None) -> Document:
    if error:
        return Document.of(f"⏳ {error.message}", f"💡 {error.hint}")
    return Document.of("🔍 Looking at what would change...")
