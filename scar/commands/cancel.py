"""`/docker_cancel`: cancel a job that is waiting or running."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from scar.access import Actor, Role
from scar.commands.job import latest_jobs
from scar.commands.local_command import CommandContext, LocalCommand
from scar.document import Document
from scar.errors import ScarError, nearest
from scar.jobs.job_id import is_job_id
from scar.jobs.record import Job, JobState
from scar.projects import Project


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

        def is_own(job: Job) -> bool:
            return job.request.requested_by == actor

        latest = latest_jobs(actor, (), context)
        jobs = [j for j in latest if not j.state.ended and _may_cancel(actor, j, context)]
        if words and is_job_id(words[0]) and context.ledger.get(words[0].upper()) is None:
            raise _unknown(words[0], context.projects.names())
        job = context.cancel(actor, job_meant(words, jobs, context.projects, is_own=is_own))
        about = f"{job.about} ({job.id})"
        if job.state is JobState.CANCELLED:
            return Document.of(f"✖️ Cancelled: {about}", "It had not begun: nothing was done.")
        if not job.request.changes:
            return Document.of(f"🛑 Stopping: {about}")
        return Document.of(
            f"🛑 Stopping: {about}", "What it has done is put back; its message says how it ends."
        )


class KnownProjects(Protocol):
    """The projects whose names a typed word is compared with."""

    @property
    def projects(self) -> Mapping[str, Project]:
        """The projects by name."""


def job_meant(
    words: Sequence[str],
    jobs: Sequence[Job],
    known: KnownProjects,
    *,
    is_own: Callable[[Job], bool] = lambda _: False,
) -> str:
    """Return the id in `word`; else the id of the only running job among the open `jobs`, of the
    project in `word` or of all.

    A job that awaits its confirmation is chosen only if none runs, and another person's job that
    only reads only if there is no other. Raises `job_not_found` if the word is neither a job nor a
    project, `invalid_request` if several jobs are possible.
    """
    word = words[0] if words else None
    if word and is_job_id(word):
        return word.upper()
    if word and word not in known.projects:
        raise _unknown(word, list(known.projects))
    jobs = [job for job in jobs if word in (None, job.request.project)]
    weighty = [job for job in jobs if job.request.changes or is_own(job)]
    running = [job for job in weighty if job.state is not JobState.AWAITING_CONFIRMATION]
    meant = running or weighty or jobs
    if len(meant) == 1:
        return meant[0].id
    if not meant:
        of = f" of {word}" if word else ""
        raise ScarError("not_found", f"There is no job{of} to cancel", "/jobs shows the latest.")
    listed = "".join(f"\n{job.about}: /docker_cancel {job.id}" for job in meant)
    raise ScarError("invalid_request", f"{len(meant)} jobs are open", f"Say which:{listed}")


def _unknown(word: str, projects: list[str]) -> ScarError:
    hint = f"{nearest(word, projects)} /jobs shows the latest jobs.".strip()
    return ScarError("job_not_found", f"No job or project '{word[:64]}'", hint)


def _may_cancel(actor: Actor, job: Job, context: CommandContext) -> bool:
    project = context.projects.projects.get(job.request.project or "")
    own = job.request.requested_by == actor
    return own or context.access.allows(actor, Role.OPERATOR, project)


COMMAND = CancelCommand()
