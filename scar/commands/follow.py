"""`/docker_follow`: show new log lines as they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from marshmallow import fields

from scar.commands.arguments import (
    NoArguments,
    container_field,
    grep_field,
    options_among,
    pattern,
)
from scar.commands.container_argument import container_meant
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.notices import failure, waiting
from scar.document import Button, Code, Document, Line
from scar.jobs.record import Job, JobState
from scar.jobs.time_span import ANY_SPAN
from scar.projects import Project, ProjectsFile

KIND = "follow"
OLDER_LINES = 1000
_MOST_CHARACTERS = 3000


class FollowArguments(NoArguments):
    """The container (by default the primary one), the words that lines must contain, and how far
    back to begin.
    """

    container = container_field()
    grep = grep_field()
    since = fields.String(validate=pattern(ANY_SPAN, "a time such as 30s, 10m or 2h"))


class FollowCommand(JobCommand):
    """Shows the newest log lines in one message, for ten minutes or until the job is cancelled."""

    word = "docker_follow"
    kind = KIND
    schema = FollowArguments
    usage = "[project[/container]] [grep WORDS] [since 10m]"
    summary = "live log lines"
    examples = ("", "shop", "shop/shop-db-1", "shop grep timeout", "shop since 10m")
    rank = 15

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """Parse `shop`, `shop/web`, `web` or nothing, then the options with their values."""
        names, options = options_among(words, ("grep", "since"))
        if len(names) > 1:
            raise self.misuse(f"/{self.word} takes one project, not {len(names)} words")
        project, container = container_meant(names[0] if names else "", projects, default)
        args = {**({"container": container} if container else {}), **options}
        return Invocation(project, self.arguments(args))

    def view(self, job: Job) -> Document:
        """Return as many of the newest log lines as fit into a message."""
        if job.state.ended and job.state not in (JobState.SUCCEEDED, JobState.CANCELLED):
            return failure(job, "Following failed")
        step = job.step("following")
        name = (step and step.detail) or job.request.project or ""
        grep = job.request.args.get("grep")
        what = f"{name}, {grep}" if grep else name
        older = Button("📄 Older lines", "older", older_lines(job, name))
        if job.state.ended:
            heading = Line(f"📜 {what} - followed until now")
            return Document((heading, _code(job.output)), (older,))
        stop = Button("⏹️ Stop", "stop", f"/docker_cancel {job.id}")
        if waits := waiting(job):
            return waits
        heading = Line(f"📜 {what} - following" + ("" if job.output else "..."))
        lines = (_code(job.output),) if job.output else ()
        return Document((heading, *lines), (stop, older) if job.output else (stop,))


def older_lines(job: Job, container: str) -> str:
    """Return the command for the lines before those that are shown, with the same words."""
    grep = job.request.args.get("grep")
    words = f" grep {grep}" if grep else ""
    return f"/docker_logs {job.request.project}/{container} {OLDER_LINES}{words}"


def _code(output: Sequence[str]) -> Line | Code:
    """Return the newest whole lines that fit; if the newest line alone is too long, its end."""
    text = "\n".join(output)
    if not text:
        return Line("(no new log lines)")
    if len(text) > _MOST_CHARACTERS:
        text = text[-_MOST_CHARACTERS - 1 :]
        text = text.partition("\n")[2] or text[1:]
    return Code(text)


COMMAND = FollowCommand()
