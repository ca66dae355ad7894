"""`/docker_diff`: what a deploy would change."""

from __future__ import annotations

from scar.commands.command import JobCommand, failure, waiting
from scar.commands.deploy import plan_lines
from scar.commands.words import title
from scar.document import Document
from scar.jobs.record import Job


class Diff(JobCommand):
    """Files, drift, images to build, services to restart."""

    word = "docker_diff"
    kind = "diff"
    summary = "what a deploy would change"
    rank = 13

    def view(self, job: Job) -> Document:
        """The plan, as the question of a deploy shows it."""
        if job.result is None:
            if job.state.ended:
                return failure(job, "Diff failed")
            return waiting(job) or Document.of("🔍 Comparing...")
        heading = f"🔍 {title(job.request.project or '')} - Workspace → Production"
        return Document.of("\n".join([heading, "", *plan_lines(job.result)]))


COMMAND = Diff()
