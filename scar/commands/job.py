"""`/job`: show a job in this chat, wherever it was requested, until it has ended."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from scar.access import Actor, Role
from scar.commands.job_command import JobCommand
from scar.commands.local_command import CommandContext, WindowCommand
from scar.errors import ScarError, nearest
from scar.jobs.job_id import is_job_id
from scar.jobs.record import Job

MOST_READ = 200
"""How many of the latest jobs are searched for the one that is meant."""


class ShowJobCommand(WindowCommand):
    """Shows the job's message, including its question, in the chat where the command is typed."""

    word = "job"
    usage = "[job|project]"
    summary = "show a job here as it goes on; where it asks, you can answer"
    rank = 32

    def find(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Job:
        """Return the job with the given id. Without an id, return the latest job that has not
        ended, or else the latest job, of the given project or of all.
        """
        if len(words) > 1:
            raise self.misuse(f"/{self.word} takes one job or project")
        if words and is_job_id(words[0]):
            return job_with_id(actor, words[0], context)
        require_project(words, context)
        jobs = latest_jobs(actor, words, context)
        if not jobs:
            raise _not_found("There is no job yet")
        return next((job for job in jobs if not job.state.ended), jobs[0])


def job_with_id(actor: Actor, id: str, context: CommandContext) -> Job:
    """Return a job that the person may see; raise `job_not_found` where there is none."""
    job = context.ledger.get(id.upper())
    if job is None or not _may_see(actor, job, context):
        raise _not_found(f"Job '{id}' not found")
    return job


def require_project(words: Sequence[str], context: CommandContext) -> None:
    """Raise `job_not_found` where the first of `words`, which is no job, is no project either."""
    known = list(context.projects.projects)
    if words and words[0] not in known:
        hint = f"{nearest(words[0], known)} /jobs lists the latest jobs.".lstrip()
        message = f"'{words[0][:64]}' is neither a job nor a project"
        raise ScarError("job_not_found", message, hint)


def latest_jobs(actor: Actor, words: Sequence[str], context: CommandContext) -> list[Job]:
    """Return the latest jobs that the person may see, newest first, of the project that the first
    of `words` names or of all. Raises `project_not_found`.
    """
    name = context.projects.get(words[0]).name if words else None
    latest = islice(context.ledger.recent(name), MOST_READ)
    return [job for job in latest if _may_see(actor, job, context)]


def _may_see(actor: Actor, job: Job, context: CommandContext) -> bool:
    """Return whether a person may see the job: they requested it, it changes something, or they
    have the role that its kind requires.
    """
    request = job.request
    project = context.projects.projects.get(request.project or "")
    needed = Role.VIEWER
    if not request.changes:
        commands = (c for c in context.commands() if isinstance(c, JobCommand))
        needed = next((c.role for c in commands if c.kind == request.kind), needed)
    return request.requested_by == actor or context.access.allows(actor, needed, project)


def _not_found(message: str) -> ScarError:
    return ScarError("job_not_found", message, "/jobs lists the latest ones.")


COMMAND = ShowJobCommand()
