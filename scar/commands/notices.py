"""What jobs of every kind show while they have no result, and where they failed."""

from __future__ import annotations

from scar.document import Code, Document, Line
from scar.errors import ErrorRecord
from scar.jobs.record import Job, JobState


def failure(job: Job, title: str) -> Document:
    """Return why a job did not succeed and what to do, with the lines that explain it."""
    error = job.error or ErrorRecord("internal", "It ended without a reason", "See SCAR's log.")
    blocks: list[Line | Code] = [Line(f"❌ {title}"), Line(error.message)]
    if error.lines:
        blocks.append(Code("\n".join(error.lines)))
    blocks.append(Line(f"💡 {error.hint}"))
    return Document(tuple(blocks))


def refusal(error: ErrorRecord) -> Document:
    """Return why something was not even begun."""
    return Document.of(f"❌ {error.message}", f"💡 {error.hint}")


def waiting(job: Job) -> Document | None:
    """Return the notice that no worker listens for the job's host; None where one does."""
    if job.state is JobState.QUEUED and job.error:
        return Document.of(f"⏳ {job.error.message}", f"💡 {job.error.hint}")
    return None


def without_result(job: Job, begun: str, failed: str) -> Document | None:
    """Return what a job that only reads shows while it has no result: the line `begun`, or why it
    `failed`. None once it has one.
    """
    if job.result is not None:
        return None
    if job.state.ended:
        return failure(job, failed)
    return waiting(job) or Document.of(begun)
