"""What jobs of every kind show before they have a result, and after a failure."""

from __future__ import annotations

from scar.document import Code, Document, Line
from scar.errors import ErrorRecord
from scar.jobs.record import Job, JobState


def failure(job: Job, title: str) -> Document:
    """Return a failed job's error and hint, and the log lines that explain the failure."""
    error = job.error or ErrorRecord("internal", "It ended without a reason", "See SCAR's log.")
    blocks: list[Line | Code] = [Line(f"❌ {title}"), Line(error.message)]
    if error.lines:
        blocks.append(Code("\n".join(error.lines), folded=True))
    blocks.append(Line(f"💡 {error.hint}"))
    return Document(tuple(blocks))


def refusal(error: ErrorRecord) -> Document:
    """Return the error and hint of a request for which no job was created."""
    return Document.of(f"❌ {error.message}", f"💡 {error.hint}")


def waiting(job: Job) -> Document | None:
    """Return the notice that the job's host has no worker; None if it has one or the job has
    been taken.
    """
    if job.state is JobState.QUEUED and job.error:
        return Document.of(f"⏳ {job.error.message}", f"💡 {job.error.hint}")
    return None


def without_result(job: Job, begun: str, failed: str) -> Document | None:
    """Return what a read-only job shows before it has a result: the line `begun`, or after a
    failure the title `failed` and the error. None if there is a result.
    """
    if job.result is not None:
        return None
    if job.state.ended:
        return failure(job, failed)
    return waiting(job) or Document.of(begun)
