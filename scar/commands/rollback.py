"""`/docker_rollback`: production back to an earlier release, without a build."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from marshmallow import fields

from scar.access import Role
from scar.commands.arguments import NoArguments, pattern
from scar.commands.deployment_view import plan_lines, progress_view, result_details
from scar.commands.job_command import Invocation, JobCommand
from scar.document import Button, Document, Line
from scar.jobs.job_id import ID_PATTERN, is_job_id
from scar.jobs.record import Job
from scar.jobs.results.deploy import DeployPlan, DeployResult
from scar.json_object import JsonObject
from scar.projects import Project, ProjectsFile


class RollbackArguments(NoArguments):
    """The release; the one before the last where none is named."""

    release = fields.String(allow_none=True, validate=pattern(ID_PATTERN, "the id of a release"))


class RollbackCommand(JobCommand):
    """Files, environment and images as they were; puts everything back where that fails."""

    word = "docker_rollback"
    kind = "rollback"
    schema = RollbackArguments
    usage = "[project] [release]"
    summary = "go back to the previous release, or to the one named"
    noun = "a rollback"
    examples = ("", "shop", "shop 01JZ0000000000000000000000")
    role = Role.OPERATOR
    asks = True
    changes = True
    rank = 22

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """Read a project and a release, in either order."""
        releases = [word for word in words if is_job_id(word)]
        names = [word for word in words if word not in releases]
        if len(releases) > 1 or len(names) > 1:
            raise self.misuse(f"/{self.word} takes a project and a release")
        project = projects.get(names[0]) if names else default()
        return Invocation(project, {"release": releases[0].upper()} if releases else {})

    def arguments(self, raw: JsonObject) -> JsonObject:
        """Return `release`, the id of one, where it is given."""
        release = super().arguments(raw).get("release")
        return {} if release is None else {"release": release.upper()}

    def question(self, job: Job) -> Document:
        plan = job.read_plan(DeployPlan)
        commit = f" ({plan.commit[:12]})" if plan.commit else ""
        lines = [
            "⏪ Roll Production Back",
            "",
            f"Project: {job.request.project}",
            f"Release: {plan.release}{commit}",
            f"Target: {plan.production}",
            "",
            *plan_lines(plan),
            "",
            "Type `yes` to roll back",
        ]
        buttons = (Button("⏪ Yes, roll back", "yes"), Button("✖️ No", "no"))
        return Document((Line("\n".join(lines)),), buttons)

    def view(self, job: Job) -> Document:
        return progress_view(job, "⏪ Rolling back...", "Rollback", _result_lines)


def _result_lines(result: DeployResult) -> list[str]:
    if result.nothing:
        return ["✅ Nothing to roll back: production is as that release left it."]
    return ["✅ Rollback complete!", "", *result_details(result)]


COMMAND = RollbackCommand()
