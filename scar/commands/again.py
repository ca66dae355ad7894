"""`/docker_again`: repeat the request of an earlier job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from scar.access import Actor
from scar.commands.job import job_with_id, latest_jobs, require_project
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.local_command import CommandContext, RepeatCommand
from scar.document import Button, Document, Mood
from scar.errors import ScarError
from scar.jobs.job_id import is_job_id
from scar.jobs.record import Job, JobState
from scar.projects import Project

GetProject = Callable[[str], Project]


class AgainCommand(RepeatCommand):
    """Submits the request of an earlier job as a new one with a plan and a question of its own, so
    that a failed deploy is not repeated blindly.
    """

    word = "docker_again"
    usage = "[job|project]"
    summary = "ask once more for your last job, or for the one named"
    examples = ("", "shop", "01JZ0000000000000000000000")
    rank = 24

    def find(
        self, actor: Actor, words: Sequence[str], context: CommandContext
    ) -> tuple[JobCommand, Invocation]:
        """Return the request of the job with the given id. Without an id, it is the person's own
        latest job that changed something, of the given project or of all.
        """
        if len(words) > 1:
            raise self.misuse(f"/{self.word} takes one job or project")
        commands = {c.kind: c for c in context.commands() if isinstance(c, JobCommand)}
        if words and is_job_id(words[0]):
            job = job_with_id(actor, words[0], context)
        else:
            require_project(words, context)
            job = latest_own(latest_jobs(actor, words, context), actor)
        return repeated(job, commands, context.projects.get)


def latest_own(jobs: Sequence[Job], actor: Actor) -> Job:
    """Return the person's latest job that changed or asked something, whether it has ended or not.

    Raises `job_not_found`.
    """
    own = (job for job in jobs if job.request.requested_by == actor and job.request.changes)
    if (job := next(own, None)) is None:
        raise no_own_job()
    return job


def no_own_job() -> ScarError:
    """Return the error for a person who has changed nothing yet."""
    return ScarError(
        "job_not_found",
        "There is no job of yours that changed anything",
        "/jobs lists the latest ones: name one of them.",
    )


def repeated(
    job: Job, commands: Mapping[str, JobCommand], project: GetProject
) -> tuple[JobCommand, Invocation]:
    """Return the command and the request of a job. Raises `conflict` if the job has not ended, and
    `project_not_found` if its project is no longer configured.
    """
    request = job.request
    if not job.state.ended:
        raise ScarError(
            "conflict",
            f"{job.about} goes on: it has not ended yet",
            f"/job_{job.id} shows how far it is, /docker_cancel {job.id} stops it.",
        )
    command = commands.get(request.kind)
    if command is None:
        raise ScarError(
            "not_found", f"This SCAR does not know '{request.kind}'", "Is it of one version?"
        )
    of = project(request.project) if request.project else None
    return command, Invocation(of, command.repeated(request.args))


def with_again(document: Document, job: Job) -> Document:
    """Add the button `Again` to the message of an ended job that changed or asked something."""
    if not job.state.ended or not job.request.changes:
        return document
    button = Button("🔁 Again", "again", f"/docker_again {job.id}", _mood(job))
    return document.with_buttons(button)


def _mood(job: Job) -> Mood:
    """Return the button's mood: highlighted after a failure, which people want to repeat."""
    return Mood.PLAIN if job.state is JobState.SUCCEEDED else Mood.GOOD


COMMAND = AgainCommand()
