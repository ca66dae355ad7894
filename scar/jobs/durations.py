"""How long jobs take: measured from the steps that workers have signed, of the records kept."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from statistics import median

from scar.jobs.record import Job, JobState
from scar.jobs.record_reader import RecordReader

_COMPARED = 20
_MOST_READ = 200


def worked_seconds(job: Job) -> float | None:
    """Return the time from a job's first step to the end of its last; None without such times."""
    starts = [step.started_at for step in job.steps if step.started_at is not None]
    ends = [step.finished_at for step in job.steps if step.finished_at is not None]
    return (max(ends) - min(starts)) / 1000 if starts and ends else None


def typical_seconds(jobs: Iterable[Job], kind: str) -> float | None:
    """Return the median of the latest twenty jobs of a kind that succeeded, newest first in `jobs`;
    None where there is none.
    """
    good = (j for j in jobs if j.request.kind == kind and j.state is JobState.SUCCEEDED)
    times = (seconds for job in good if (seconds := worked_seconds(job)) is not None)
    latest = list(islice(times, _COMPARED))
    return median(latest) if latest else None


def seconds_left(reader: RecordReader, job: Job, now: float) -> float | None:
    """Return how long a running job is likely to go on, by earlier ones of its kind and project.

    None where nothing is known, or where it takes longer than usual. `now` is in seconds.
    """
    begun = [step.started_at for step in job.steps if step.started_at is not None]
    if job.state is not JobState.RUNNING or not begun:
        return None
    earlier = islice(reader.recent(job.request.project, before=job.id), _MOST_READ)
    usual = typical_seconds(earlier, job.request.kind)
    left = usual - (now - min(begun) / 1000) if usual is not None else 0
    return left if left > 0 else None


def about(seconds: float) -> str:
    """Return a rough duration: `about 10 s`, `about 3 min`."""
    if seconds < 100:
        return f"about {max(10, round(seconds, -1)):.0f} s"
    return f"about {round(seconds / 60):.0f} min"
