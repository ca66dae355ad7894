"""`/docker_deploy`: brings the workspace's files, images and containers into production."""

from __future__ import annotations

from scar.commands.deployment_view import (
    UP_TO_DATE,
    changed_lines,
    plan_lines,
    progress_view,
    result_details,
)
from scar.commands.job_command import JobCommand
from scar.document import Button, Document, Line, Mood
from scar.jobs.record import Job
from scar.jobs.results.deploy import DeployPlan, DeployResult
from scar.json_object import JsonObject
from scar.projects import Project, workspace_resource


class DeployCommand(JobCommand):
    """Copies files, builds images, restarts containers and checks their health; undoes all of it
    if a step fails.
    """

    word = "docker_deploy"
    kind = "deploy"
    summary = "deploy the workspace to production"
    noun = "a deploy"
    rank = 21

    def locks(self, project: Project | None, args: JsonObject) -> tuple[str, ...]:
        """Return the project's resource, and the workspace's if the deploy is for a push, which
        first updates the workspace.
        """
        locks = super().locks(project, args)
        return (*locks, workspace_resource(project)) if project and "push" in args else locks

    def requires_free(self, project: Project | None, args: JsonObject) -> tuple[str, ...]:  # noqa: ARG002
        """Return the workspace's resource: no coding agent may be changing the files that are
        deployed.
        """
        return (workspace_resource(project),) if project else ()

    def repeated(self, args: JsonObject) -> JsonObject:
        """Return the arguments without the push: a repeated deploy uses the workspace as it is
        now.
        """
        return {name: value for name, value in args.items() if name != "push"}

    def question(self, job: Job) -> Document:
        plan = job.read_plan(DeployPlan)
        lines = [
            *changed_lines(plan),
            "🚀 Deploy Workspace → Production",
            "",
            f"Source: {plan.workspace}",
            f"Target: {plan.production}",
            "",
            "Steps:",
            "1. Copy changes to production",
            "2. Rebuild container (if needed)",
            "3. Restart services",
            "",
            *plan_lines(plan),
            "",
            "Type `yes` to deploy",
        ]
        buttons = (Button("🚀 Yes, deploy", "yes", mood=Mood.DANGER), Button("✖️ No", "no"))
        question = Document((Line("\n".join(lines)),), buttons)
        if not plan.compose.gone:
            return question
        removal = f"docker rm -f {' '.join(plan.compose.gone)}"
        return question.with_buttons(Button("📋 Copy: docker rm -f", "copy", copies=removal))

    def view(self, job: Job) -> Document:
        return progress_view(job, "🚀 Deploying...", "Deployment", _result_lines)


def _result_lines(result: DeployResult) -> list[str]:
    if result.nothing:
        return [UP_TO_DATE]
    return ["✅ Deployment complete!", "", *result_details(result)]


COMMAND = DeployCommand()
