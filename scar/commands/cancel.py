"""`/docker_cancel`: stops a job that waits or runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from scar.access import Actor, Role
from scar.commands.command import LocalCommand, Surroundings
from scar.document import Document
from scar.errors import ScarError
from scar.jobs.job_id import is_job_id
from scar.jobs.record import Job, JobState

_LOOKED_AT = 200


class Cancel(LocalCommand):
    """Its processes end within seconds, and what a deploy had done is put back."""

    word = "docker_cancel"
    usage = "[project|job]"
    summary = "stop a job that waits or runs"
    role = Role.OPERATOR
    rank = 23

    def reply(self, actor: Actor, words: Sequence[str], around: Surroundings) -> Document:
        """What became of it; where it is too late, that."""
        if len(words) > 1:
            raise self.misuse(f"/{self.word} takes one job")
        job = around.cancel(actor, self._meant(actor, words, around))
        about = f"{job.about} ({job.id})"
        if job.state is JobState.CANCELLED:
            return Document.of(f"✖️ Cancelled: {about}", "It had not begun: nothing was done.")
        return Document.of(
            f"🛑 Stopping: {about}", "What it has done is put back; its message says how it ends."
        )

    def _meant(self, actor: Actor, words: Sequence[str], around: Surroundings) -> str:
        """The job named, or the only one that is open."""
        if words and is_job_id(words[0]):
            return words[0].upper()
        name = around.projects.get(words[0]).name if words else None
        found = [job for job in _open(around, name) if _may_see(actor, job, around)]
        if len(found) == 1:
            return found[0].id
        if not found:
            raise ScarError("not_found", "There is no job to cancel", "/jobs shows the latest.")
        listed = ", ".join(f"{job.about} {job.id}" for job in found)
        raise ScarError(
            "invalid_request",
            f"{len(found)} jobs are open: {listed}",
            f"Say which: /{self.word} {found[0].id}",
        )


def _open(around: Surroundings, project: str | None) -> list[Job]:
    latest = islice(around.ledger.recent(project), _LOOKED_AT)
    return [job for job in latest if not job.state.ended and job.request.changes]


def _may_see(actor: Actor, job: Job, around: Surroundings) -> bool:
    project = around.projects.projects.get(job.request.project or "")
    return around.access.allows(actor, Role.OPERATOR, project)


COMMAND = Cancel()
