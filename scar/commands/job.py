"""`/job`: shows a job here, wherever it was asked for, until it has ended."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from scar.access import Actor, Role
from scar.commands.command import Surroundings, WindowCommand
from scar.errors import ScarError
from scar.jobs.job_id import is_job_id
from scar.jobs.record import Job

_LOOKED_AT = 200


class ShowJob(WindowCommand):
    """A window on a job: the same message as where it was asked for, with the same question."""

    word = "job"
    usage = "[job|project]"
    summary = "show a job here as it goes on; where it asks, you can answer"
    rank = 32

    def find(self, actor: Actor, words: Sequence[str], around: Surroundings) -> Job:
        """The job named, or the latest of a project, an open one first."""
        if len(words) > 1:
            raise self.misuse(f"/{self.word} takes one job or project")
        if words and is_job_id(words[0]):
            job = around.ledger.get(words[0].upper())
            if job is None or not _may_see(actor, job, around):
                raise _not_found(f"Job '{words[0]}' not found")
            return job
        name = around.projects.get(words[0]).name if words else None
        latest = islice(around.ledger.recent(name), _LOOKED_AT)
        found = [job for job in latest if _may_see(actor, job, around)]
        if not found:
            raise _not_found("There is no job yet")
        return next((job for job in found if not job.state.ended), found[0])


def _may_see(actor: Actor, job: Job, around: Surroundings) -> bool:
    project = around.projects.projects.get(job.request.project or "")
    return job.request.requested_by == actor or around.access.allows(actor, Role.VIEWER, project)


def _not_found(message: str) -> ScarError:
    return ScarError("job_not_found", message, "/jobs lists the latest ones.")


COMMAND = ShowJob()
