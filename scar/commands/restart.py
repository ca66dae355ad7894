"""`/docker_restart`: the containers, one after the other, each waited for."""

from __future__ import annotations

from scar.access import Role
from scar.commands.command import JobCommand, failure, waiting
from scar.document import Button, Code, Document, Line
from scar.jobs.record import Job
from scar.jobs.step import StepState


class Restart(JobCommand):
    """Restarts in dependency order and waits until each is healthy."""

    word = "docker_restart"
    kind = "restart"
    summary = "restart the containers, one after the other"
    role = Role.OPERATOR
    asks = True
    changes = True
    rank = 20

    def question(self, job: Job) -> Document:
        """The list of containers and how long they will be away."""
        plan = job.plan or {}
        lines = [
            "⚠️ Restart Production Containers",
            "",
            f"Project: {job.request.project}",
            "",
            "Containers to restart:",
            *[f"- {name}" for name in plan.get("containers", ())],
            *[f"- {name} (protected, left alone)" for name in plan.get("protected", ())],
            "",
            f"⏱️ Estimated downtime: {plan.get('downtime', '10-30 seconds')}",
            "",
            "Type `yes` to confirm",
        ]
        buttons = (Button("✅ Yes, restart", "yes"), Button("✖️ No", "no"))
        return Document((Line("\n".join(lines)),), buttons)

    def view(self, job: Job) -> Document:
        """One line for each container that is back."""
        if job.state.ended and not job.steps:
            return failure(job, "Restart did not begin")
        if not job.steps:
            return waiting(job) or Document.of("🔄 Restarting containers...")
        lines = ["🔄 Restarting containers..."]
        for step in job.steps:
            if step.name.startswith("restarting:") and step.state is StepState.SUCCEEDED:
                lines.append(f"✅ {step.detail} restarted")
            elif step.name.startswith("restarting:") and step.state is StepState.FAILED:
                lines.append(f"❌ {step.detail} failed")
        blocks: list[Line | Code] = [Line("\n".join(lines))]
        if job.state.ended and job.result and not job.error:
            blocks += [Line(""), Line("✅ All containers healthy. Production is live.")]
            if job.result.get("downtime_seconds") is not None:
                blocks.append(Line(f"⏱️ Downtime: {job.result['downtime_seconds']:.1f}s"))
        elif job.state.ended:
            blocks += [Line(""), *failure(job, "Restart failed").blocks]
        return Document(tuple(blocks))


COMMAND = Restart()
