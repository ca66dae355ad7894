"""`/docker_rollback`: bring an earlier release back into production, without a build."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scar.access import Role
from scar.commands.deployment_view import plan_lines, progress_view, result_details
from scar.commands.job_command import Invocation, JobCommand
from scar.document import Button, Document, Line
from scar.jobs.job_id import is_job_id
from scar.jobs.record import Job
from scar.jobs.results.deploy import DeployPlan, DeployResult
from scar.json_object import JsonObject
from scar.projects import Project, ProjectsFile


class RollbackCommand(JobCommand):
    """Restores the files, environment and images of a release; undoes all of it if a step fails."""

    word = "docker_rollback"
    kind = "rollback"
    usage = "[project] [release]"
    summary = "go back to the previous release, or to the one named"
    role = Role.OPERATOR
    asks = True
    changes = True
    rank = 22

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """Parse the project and the release's id, in either order."""
        releases = [word for word in words if is_job_id(word)]
        names = [word for word in words if word not in releases]
        if len(releases) > 1 or len(names) > 1:
            raise self.misuse(f"/{self.word} takes a project and a release")
        project = projects.get(names[0]) if names else default()
        return Invocation(project, {"release": releases[0].upper()} if releases else {})

    def arguments(self, raw: JsonObject) -> JsonObject:
        """Return the checked argument `release`, the id of a release, if given."""
        self.require_only(raw, "release")
        release = raw.get("release")
        if release is None:
            return {}
        if not isinstance(release, str) or not is_job_id(release):
            raise self.misuse("'release' has to be the id of a release")
        return {"release": release.upper()}

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
