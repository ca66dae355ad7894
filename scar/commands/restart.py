"""`/docker_restart`: restart the containers one after the other, waiting for each."""

from __future__ import annotations

from scar.commands.job_command import JobCommand
from scar.commands.notices import failure, waiting
from scar.commands.ways_view import wait_lines, way_lines
from scar.document import Button, Code, Document, Line, Mood
from scar.jobs.record import Job
from scar.jobs.results.json_record import present
from scar.jobs.results.restart import RestartPlan, RestartResult
from scar.jobs.step import Step, StepState

_BEGUN = "🔄 Restarting containers..."


class RestartCommand(JobCommand):
    """Restarts the containers in dependency order and waits until each is healthy."""

    word = "docker_restart"
    kind = "restart"
    summary = "restart the containers, one after the other"
    noun = "a restart"
    rank = 20

    def question(self, job: Job) -> Document:
        plan = job.read_plan(RestartPlan)
        lines = [
            "⚠️ Restart Production Containers",
            "",
            f"Project: {job.request.project}",
            "",
            "Containers to restart:",
            *[f"- {name}" for name in plan.containers],
            *[f"- {name} (protected, left alone)" for name in plan.protected],
            "",
            f"⏱️ Estimated downtime: {plan.downtime or '10-30 seconds'}",
            *[f"  {line}" for line in way_lines(plan.ways, plan.downtime)],
            "",
            "Type `yes` to confirm",
        ]
        buttons = (Button("✅ Yes, restart", "yes", mood=Mood.DANGER), Button("✖️ No", "no"))
        return Document((Line("\n".join(lines)),), buttons)

    def view(self, job: Job) -> Document:
        """Return one line for each container that was restarted or failed, then the outcome."""
        if job.state.ended and not job.steps:
            return failure(job, "Restart did not begin")
        if not job.steps:
            return waiting(job) or Document.of(_BEGUN)
        lines = [_BEGUN, *[line for step in job.steps if (line := _step_line(step))]]
        blocks: list[Line | Code] = [Line("\n".join(lines))]
        if job.state.ended and job.result and not job.error:
            blocks += [Line(""), Line("✅ All containers healthy. Production is live.")]
            result = job.read_result(RestartResult)
            downtime = present(result.downtime_seconds)
            if downtime is not None:
                blocks.append(Line(f"⏱️ Downtime: {downtime:.1f}s"))
            blocks += [Line(line) for line in wait_lines(result.ways)]
        elif job.state.ended:
            blocks += [Line(""), *failure(job, "Restart failed").blocks]
        return Document(tuple(blocks))


def _step_line(step: Step) -> str | None:
    if not step.name.startswith("restarting:"):
        return None
    if step.state is StepState.SUCCEEDED:
        return f"✅ {step.detail} restarted"
    return f"❌ {step.detail} failed" if step.state is StepState.FAILED else None


COMMAND = RestartCommand()
