"""`/docker_cancel`: cancel a job that is waiting or running."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from scar.access import Actor, Role
from scar.commands.local_command import CommandContext, LocalCommand
from scar.document import Document
from scar.errors import ScarError
from scar.jobs.job_id import is_job_id
from scar.jobs.record import Job, JobState

_MOST_READ = 200
"""How many of the latest jobs are searched for one that can be cancelled."""


class CancelCommand(LocalCommand):
    """Cancels a job: its processes end within seconds, and a deploy's changes to production are
    undone.
    """

    word = "docker_cancel"
    usage = "[project|job]"
    summary = "stop a job that waits or runs"
    role = Role.OPERATOR
    rank = 23

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:
        """Cancel the job; raise `conflict` if it can no longer be cancelled."""
        if len(words) > 1:
            raise self.misuse(f"/{self.word} takes one job")
        job = context.cancel(actor, self._job_meant(actor, words, context))
        about = f"{job.about} ({job.id})"
        if job.state is JobState.CANCELLED:
            return Document.of(f"✖️ Cancelled: {about}", "It had not begun: nothing was done.")
        return Document.of(
            f"🛑 Stopping: {about}", "What it has done is put back; its message says how it ends."
        )

    def _job_meant(self, actor: Actor, words: Sequence[str], context: CommandContext) -> str:
        """Return the id of the job that the words name, or of the only one that has not ended."""
        if words and is_job_id(words[0]):
            return words[0].upper()
        name = context.projects.get(words[0]).name if words else None
        jobs = [job for job in _open_jobs(context, name) if _may_cancel(actor, job, context)]
        if len(jobs) == 1:
            return jobs[0].id
        if not jobs:
            raise ScarError("not_found", "There is no job to cancel", "/jobs shows the latest.")
        listed = ", ".join(f"{job.about} {job.id}" for job in jobs)
        raise ScarError(
            "invalid_request",
            f"{len(jobs)} jobs are open: {listed}",
            f"Say which: /{self.word} {jobs[0].id}",
        )


def _open_jobs(context: CommandContext, project: str | None) -> list[Job]:
    latest = islice(context.ledger.recent(project), _MOST_READ)
    return [job for job in latest if not job.state.ended and job.request.changes]


def _may_cancel(actor: Actor, job: Job, context: CommandContext) -> bool:
    project = context.projects.projects.get(job.request.project or "")
    return context.access.allows(actor, Role.OPERATOR, project)


COMMAND = CancelCommand()
