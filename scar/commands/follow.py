"""`/docker_follow`: show new log lines as they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scar.commands.arguments import NoArguments, container_field
from scar.commands.container_argument import container_meant
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.notices import failure, waiting
from scar.document import Button, Code, Document, Line
from scar.jobs.record import Job, JobState
from scar.projects import Project, ProjectsFile

KIND = "follow"
_MOST_CHARACTERS = 3000


class FollowArguments(NoArguments):
    """The container; the primary one where none is named."""

    container = container_field()


class FollowCommand(JobCommand):
    """Shows the newest log lines in one message, for ten minutes or until the job is cancelled."""

    word = "docker_follow"
    kind = KIND
    schema = FollowArguments
    usage = "[project[/container]]"
    summary = "live log lines"
    examples = ("", "shop", "shop/shop-db-1")
    rank = 15

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """Read `shop`, `shop/web`, `web` or nothing."""
        if len(words) > 1:
            raise self.misuse(f"/{self.word} takes one project, not {len(words)} words")
        project, container = container_meant(words[0] if words else "", projects, default)
        return Invocation(project, self.arguments({"container": container} if container else {}))

    def view(self, job: Job) -> Document:
        """Return as many of the newest log lines as fit into a message."""
        if job.state.ended and job.state not in (JobState.SUCCEEDED, JobState.CANCELLED):
            return failure(job, "Following failed")
        step = job.step("following")
        name = (step and step.detail) or job.request.project or ""
        if job.state.ended:
            return Document((Line(f"📜 {name} - followed until now"), _code(job.output)))
        stop = Button("⏹️ Stop", "stop", f"/docker_cancel {job.id}")
        if waits := waiting(job):
            return waits
        heading = Line(f"📜 {name} - following" + ("" if job.output else "..."))
        lines = (_code(job.output),) if job.output else ()
        return Document((heading, *lines), (stop,))


def _code(output: Sequence[str]) -> Line | Code:
    """Return the newest lines, whole ones, but for a newest one that alone is too long."""
    text = "\n".join(output)
    if not text:
        return Line("(no new log lines)")
    if len(text) > _MOST_CHARACTERS:
        text = text[-_MOST_CHARACTERS - 1 :]
        text = text.partition("\n")[2] or text[1:]
    return Code(text)


COMMAND = FollowCommand()
