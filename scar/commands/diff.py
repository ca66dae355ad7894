"""`/docker_diff`: what a deploy would change."""

from __future__ import annotations

from scar.commands.deployment_view import plan_lines
from scar.commands.job_command import JobCommand
from scar.commands.notices import without_result
from scar.commands.text_format import title
from scar.document import Document
from scar.jobs.record import Job
from scar.jobs.results.deploy import DeployPlan


class DiffCommand(JobCommand):
    """Shows the plan of a deploy, without deploying: changed files, images to build, services to
    restart.
    """

    word = "docker_diff"
    kind = "diff"
    summary = "what a deploy would change"
    rank = 13

    def view(self, job: Job) -> Document:
        heading = f"🔍 {title(job.request.project or '')} - Workspace → Production"
        return without_result(job, "🔍 Comparing...", "Diff failed") or Document.of(
            "\n".join([heading, "", *plan_lines(job.read_result(DeployPlan))])
        )


COMMAND = DiffCommand()
