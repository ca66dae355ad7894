"""`/docker_diff`: what a deploy would change."""

from __future__ import annotations

from scar.commands.deployment_view import plan_lines
from scar.commands.job_command import JobCommand
from scar.commands.notices import without_result
from scar.commands.text_format import beginning_of, title
from scar.document import Attachment, Code, Document, Line
from scar.jobs.record import Job
from scar.jobs.results.diff import DiffResult

_MOST_NAMES = 5


class DiffCommand(JobCommand):
    """Shows the plan of a deploy, without deploying: changed files, images to build, services to
    restart.
    """

    word = "docker_diff"
    kind = "diff"
    summary = "what a deploy would change"
    rank = 13

    def view(self, job: Job) -> Document:
        """Return the plan, and as many of the changed lines as fit into a message; an attached file
        has all of them.
        """
        return without_result(job, "🔍 Comparing...", "Diff failed") or _diff(
            job.request.project or "", job.read_result(DiffResult)
        )


def _diff(project: str, result: DiffResult) -> Document:
    heading = f"🔍 {title(project)} - Workspace → Production"
    blocks: list[Line | Code] = [Line("\n".join([heading, "", *plan_lines(result)]))]
    lines = result.lines.rstrip()
    beginning = beginning_of(lines)
    if beginning:
        blocks.append(Code(beginning, folded=True))
    if result.not_in_lines:
        names = ", ".join(result.not_in_lines[:_MOST_NAMES])
        more = ", …" if len(result.not_in_lines) > _MOST_NAMES else ""
        blocks.append(Line(f"💡 Lines not shown of: {names}{more}"))
    whole = Attachment(f"{project}.diff", f"{lines}\n") if beginning != lines else None
    return Document(tuple(blocks), attachment=whole)


COMMAND = DiffCommand()
