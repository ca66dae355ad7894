"""The errors with which a submission, confirmation or cancellation of a job is refused."""

from __future__ import annotations

import time

from scar.errors import ScarError
from scar.jobs.durations import about
from scar.jobs.record import Job
from scar.jobs.request import Request


def key_used_before() -> ScarError:
    """Return the error for an idempotency key that was used for another request."""
    return ScarError(
        "conflict",
        "This Idempotency-Key was used for another request",
        "Use a new key for a new request.",
    )


def no_plan_named() -> ScarError:
    """Return the error for a `yes` without the hash of a plan."""
    return ScarError(
        "invalid_request",
        "This `yes` does not say to which plan",
        "Send `shown`, the hash of the plan that the person has seen.",
    )


def no_plan_yet(job: Job) -> ScarError:
    """Return the error for a `yes` to a job that has no plan yet."""
    return ScarError(
        "conflict",
        f"Job {job.id} has no plan yet that could be confirmed",
        "Wait until its question is shown.",
    )


def plan_changed() -> ScarError:
    """Return the error for a `yes` to a plan that the job no longer has."""
    return ScarError(
        "conflict", "The plan has changed since it was shown", "Look at the new plan first."
    )


def awaits_no_confirmation(job: Job, state: str) -> ScarError:
    """Return the error for a `yes` to a job that awaits no confirmation, because it is in
    `state`.
    """
    return ScarError(
        "conflict",
        f"Job {job.id} awaits no confirmation ({state})",
        "Ask again to get a new question.",
    )


def settled(job: Job) -> ScarError:
    """Return the error for a cancellation after the job's point of no return."""
    return ScarError(
        "conflict",
        f"Too late: {job.request.kind} {job.id} is done but for its last words",
        "/docker_rollback brings back what was there before.",
    )


def ended_already(job: Job) -> ScarError:
    """Return the error for the cancellation of a job that has ended."""
    return ScarError(
        "conflict",
        f"Job {job.id} has ended already ({job.state.value})",
        "There is nothing left to cancel.",
    )


def busy(request: Request, holder: Job | None, left: float | None = None) -> ScarError:
    """Return the error for a job that needs what the job `holder` has locked; `holder` will
    probably run for `left` more seconds.
    """
    what = f"Project '{request.project}'" if request.project else "What this would change"
    if holder is None:
        return ScarError("busy", f"{what} is held", "Ask again in a moment.")
    if request.project and request.project not in holder.request.locks:
        what = f"The workspace of '{request.project}'"
    who = holder.request.requested_by
    since = time.strftime("%H:%M:%S", time.gmtime(holder.request.created_at / 1000))
    goes_on = f", {about(left)}" if left else ""
    return ScarError(
        "busy",
        f"{what} is held by {holder.request.kind} {holder.id} "
        f"of {who.name} ({who.frontend}), since {since} UTC",
        f"Wait until it has ended{goes_on}; /job_{holder.id} shows how far it is.",
    )
