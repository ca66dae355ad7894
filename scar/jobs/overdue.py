"""How the sweep ends a job that no worker will end."""

from __future__ import annotations

from scar.errors import ErrorRecord
from scar.jobs.job_state import JobState
from scar.jobs.proofs import WORKER_LOST_CODE, JobEnd

ATTEMPTS = 3
"""After how many interrupted attempts a job is lost."""

OVERDUE = {
    "lost": JobEnd(
        JobState.FAILED,
        error=ErrorRecord(
            WORKER_LOST_CODE,
            f"The worker was killed {ATTEMPTS} times while it did this",
            "Look at the worker's log (out of memory?) and at `scar status` before you ask again.",
        ),
    ),
    "unanswered": JobEnd(
        JobState.EXPIRED,
        error=ErrorRecord(
            "timeout",
            "Nobody confirmed in time, nothing was done",
            "Ask again and answer `yes` in time.",
        ),
    ),
    "untaken": JobEnd(
        JobState.EXPIRED,
        error=ErrorRecord(
            "host_unavailable",
            "No worker listens for this job's host",
            "Start one there with `scar worker`, and ask again.",
        ),
    ),
    "no_room": JobEnd(
        JobState.EXPIRED,
        error=ErrorRecord(
            "busy",
            "It had no turn in time: too much was asked of this job's host",
            "/jobs shows what runs there. Ask again.",
        ),
    ),
}
"""The end of a job by the reason that `sweep.lua` gives."""
