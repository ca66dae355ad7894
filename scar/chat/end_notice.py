"""The short message with a sound that announces a job's end: whether there is one, and its text.

Platforms notify nobody of an edit, so that a person who has put the phone away would miss the end
of a long or failed job.
"""

from __future__ import annotations

from scar.commands.text_format import uptime
from scar.document import Document
from scar.jobs.durations import worked_seconds
from scar.jobs.record import Job, JobState

LONG_SECONDS = 20.0
"""Seconds during which a person still looks at the message; a shorter job needs no sound."""

_LONGEST_REASON = 300
_WORDS = {
    JobState.SUCCEEDED: ("✅", "done"),
    JobState.FAILED: ("❌", "failed"),
    JobState.ROLLED_BACK: ("↩️", "failed, production was put back"),
    JobState.CANCELLED: ("✖️", "cancelled"),
    JobState.EXPIRED: ("⌛", "expired, nobody began it"),
}


def needs_notice(job: Job, *, long_seconds: float = LONG_SECONDS) -> bool:
    """Return whether the end of a job is announced with a sound: it took longer than
    `long_seconds`, or did not succeed.

    Jobs that only read are not announced, nor questions that were dropped or never answered. A job
    that was cancelled after the `yes` is.
    """
    if not job.state.ended or not job.request.changes:
        return False
    if job.state in (JobState.CANCELLED, JobState.EXPIRED):
        return not job.request.asks or job.confirmed_at is not None
    return job.state is not JobState.SUCCEEDED or seconds_of(job) > long_seconds


def seconds_of(job: Job) -> float:
    """Return how long a person waited for an ended job, from the `yes` on; at least the time from
    its first to its last step, which the worker has signed.
    """
    begun = job.confirmed_at or job.started_at or job.request.created_at
    waited = (job.finished_at or begun) - begun
    return max(waited / 1000, worked_seconds(job) or 0)


def end_notice(job: Job) -> Document:
    """Return the message: which job has ended and how, after how long, and why it failed."""
    sign, word = _WORDS[job.state]
    took = f" after {uptime(seconds_of(job))}" if job.started_at is not None else ""
    about = f"{job.request.kind.replace('_', ' ')} {job.request.project or ''}".strip()
    lines = [f"{sign} {about[:1].upper()}{about[1:]}: {word}{took}"]
    if job.error and job.state is not JobState.SUCCEEDED:
        reason = job.error.message.strip().partition("\n")[0]
        cut = len(reason) > _LONGEST_REASON
        lines.append(f"{reason[:_LONGEST_REASON]}…" if cut else reason)
    return Document.of(*lines)
