"""Estimates how long jobs take, from the signed steps in the stored records of earlier jobs."""

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
    """Return the median duration of the latest twenty successful jobs of a kind. `jobs` are newest
    first; None if there is no such job.
    """
    good = (j for j in jobs if j.request.kind == kind and j.state is JobState.SUCCEEDED)
    times = (seconds for job in good if (seconds := worked_seconds(job)) is not None)
    latest = list(islice(times, _COMPARED))
    return median(latest) if latest else None


def seconds_left(reader: RecordReader, job: Job, now: float) -> float | None:
    """Return how long a running job will probably still take, estimated from earlier ones of its
    kind and project. None without earlier ones, or if it already takes longer than usual. `now` is
    in seconds.
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
