"""Limits what runs at once on a host, so that long jobs and jobs that only read never occupy all
its processes.

The Lua scripts count (`lua/slots.lua`). A job that needs a slot and gets none stays queued, and is
woken when it is its turn. A long job is refused if the limit of open ones is reached.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scar.errors import ScarError
from scar.jobs.record import Job
from scar.jobs.request import Request
from scar.jobs.results import job_kinds

PROCESSES = 5
"""The number of processes of a host's worker; each runs one job at a time."""


@dataclass(frozen=True)
class SlotLimits:
    """How many jobs of each class may run at once on a host; a short changing job needs no slot.

    `all` limits the jobs that need a slot, `long` the long jobs, `long_of_class` the long jobs that
    read and those that change something; `reads_of_person` and `long_reads_of_person` are limits
    for one person.
    """

    all: int
    long: int
    long_of_class: int
    reads_of_person: int
    long_reads_of_person: int

    def to_json(self) -> str:
        """Return the limits for a script, with the names of the long kinds."""
        long_kinds = [name for name, kind in job_kinds().items() if kind.long]
        return json.dumps({**asdict(self), "long_kinds": long_kinds})


LIMITS = SlotLimits(
    all=PROCESSES - 1,
    long=PROCESSES - 2,
    long_of_class=PROCESSES - 3,
    reads_of_person=PROCESSES - 2,
    long_reads_of_person=1,
)
"""They leave one process for jobs that change something, one for short reads beside the long jobs,
and one slot beside the reads of a single person.
"""


def no_room(request: Request, scope: str, jobs: Sequence[Job]) -> ScarError:
    """Return the error for a long job above the limit. `jobs` are the open ones, of the `person` or
    of the whole `host`.
    """
    running = ", ".join(_named(job) for job in jobs)
    if scope == "person":
        return ScarError(
            "busy",
            f"You have a {request.kind} already on host '{request.host}': {running}",
            "/docker_unfollow ends it.",
        )
    return ScarError(
        "busy",
        f"Host '{request.host}' has room for {len(jobs)} {request.kind} jobs: {running}",
        f"Wait until one has ended, or end one: /docker_cancel {jobs[0].id if jobs else '<job>'}",
    )


def _named(job: Job) -> str:
    who = job.request.requested_by
    return f"{job.about} ({job.id}) of {who.name} ({who.frontend})"
