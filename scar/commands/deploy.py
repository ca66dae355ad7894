"""`/docker_deploy`: the workspace's files, images and containers into production."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scar.access import Role
from scar.commands.command import JobCommand, failure, waiting
from scar.commands.words import counted, listed, title, uptime
from scar.document import Button, Code, Document, Line
from scar.jobs.record import Job, JobState
from scar.jobs.step import Step, StepState
from scar.projects import Project, workspace_resource

_SHOWN = {
    "updating": "⬇️ Updating workspace...",
    "checking": "🔍 Checking...",
    "copying": "📦 Copying files...",
    "building": "🔨 Building new image...",
    "restarting": "🔄 Restarting containers...",
    "verifying": "🩺 Checking health...",
    "rolling_back": "↩️ Putting production back...",
}
_PASSING = ("checking", "verifying")


class Deploy(JobCommand):
    """Copies, builds, restarts and verifies; puts everything back where that fails."""

    word = "docker_deploy"
    kind = "deploy"
    summary = "deploy the workspace to production"
    role = Role.OPERATOR
    asks = True
    changes = True
    rank = 21

    def locks(self, project: Project | None, args: Mapping[str, Any]) -> tuple[str, ...]:
        """The project; for a push, which updates it, the workspace too."""
        held = super().locks(project, args)
        return (*held, workspace_resource(project)) if project and "push" in args else held

    def requires_free(self, project: Project | None, args: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG002
        """Nobody may be at work in the workspace that it brings."""
        return (workspace_resource(project),) if project else ()

    def question(self, job: Job) -> Document:
        """Where from, where to, what would change."""
        plan = job.plan or {}
        lines = [
            "🚀 Deploy Workspace → Production",
            "",
            f"Source: {plan.get('workspace')}",
            f"Target: {plan.get('production')}",
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
        buttons = (Button("🚀 Yes, deploy", "yes"), Button("✖️ No", "no"))
        return Document((Line("\n".join(lines)),), buttons)

    def view(self, job: Job) -> Document:
        """The steps that apply, then how it ended."""
        return progress_view(job, "🚀 Deploying...", "Deployment", _done)


def progress_view(
    job: Job, begun: str, what: str, done: Callable[[Mapping[str, Any]], list[str]]
) -> Document:
    """A rollout as it stands: the steps that apply, then what `done` makes of its result, or why
    it did not come to that.
    """
    lines = [_shown(step) for step in job.steps if _visible(step, job)]
    if not lines and not job.state.ended:
        return waiting(job) or Document.of(begun)
    blocks: list[Line | Code] = [Line("\n".join(lines))] if lines else []
    if job.state is JobState.SUCCEEDED:
        blocks.append(Line("\n".join(done(job.result or {}))))
    elif job.state.ended:
        failed = next((s for s in job.steps if s.state is StepState.FAILED), None)
        at = f" at {failed.title}" if failed else ""
        word = "cancelled" if job.state is JobState.CANCELLED else "failed"
        blocks += failure(job, f"{what} {word}{at}").blocks
        state = (job.result or {}).get("production_state")
        if state:
            blocks.append(Line(f"↩️ {state}"))
    return Document(tuple(blocks))


def _visible(step: Step, job: Job) -> bool:
    if step.state in (StepState.PENDING, StepState.SKIPPED):
        return False
    return step.name not in _PASSING or (step.state is StepState.RUNNING and not job.state.ended)


def _shown(step: Step) -> str:
    text = _SHOWN.get(step.name, f"▶️ {step.title}...")
    if step.progress and step.progress.total:
        text += f" {step.progress.done}/{step.progress.total}"
    return text


def plan_lines(plan: Mapping[str, Any]) -> list[str]:
    """What would be copied, built and restarted, one line each."""
    if plan.get("nothing"):
        return ["✅ Nothing differs: there is nothing to copy, build or restart."]
    files, counts = plan.get("files", {}), plan.get("counts", {})
    words = ("added", "changed", "removed")
    lines = ["Files: " + ", ".join(f"{counts.get(word, 0)} {word}" for word in words)]
    for word, sign in zip(words, "+~-", strict=True):
        lines += [f"  {sign} {name}" for name in files.get(word, ())[:5]]
        if counts.get(word, 0) > 5:
            lines.append(f"  {sign} … and {counts[word] - 5} more")
    if plan.get("build"):
        lines.append(f"Build: {', '.join(plan['build'])}")
    if plan.get("restart"):
        lines.append(f"Restart: {', '.join(plan['restart'])}")
    if plan.get("drift"):
        count = counted(counts.get("drift", len(plan["drift"])), "file")
        lines.append(f"⚠️ Changed by hand in production ({count}; the old content is kept):")
        lines += listed(list(plan["drift"]), most=5)
    if plan.get("left_alone"):
        lines.append(f"💡 Left as it is in production: {', '.join(plan['left_alone'])}")
    lines += [f"⚠️ {notice}" for notice in plan.get("notices", ())]
    if plan.get("downtime"):
        lines.append(f"⏱️ Estimated downtime: {plan['downtime']}")
    return lines


def _done(result: Mapping[str, Any]) -> list[str]:
    if result.get("nothing"):
        return [
            "✅ Nothing to deploy: production already has all of the workspace.",
            "Nothing was copied, built or restarted.",
        ]
    return ["✅ Deployment complete!", "", *done_lines(result)]


def done_lines(result: Mapping[str, Any]) -> list[str]:
    """How the primary container does, how long it was away, and what to know."""
    lines = []
    primary = result.get("primary")
    if primary:
        up = f" ({uptime(primary['uptime_seconds'])} uptime)" if primary["uptime_seconds"] else ""
        lines.append(f"{title(primary['name'])}: {primary['state'].capitalize()}{up}")
    if result.get("downtime_seconds") is not None:
        lines.append(f"⏱️ Downtime: {result['downtime_seconds']:.1f}s")
    lines.append("Check status: /docker_status")
    if result.get("kept"):
        kept = ", ".join(result["kept"][:5]) + (", …" if len(result["kept"]) > 5 else "")
        lines.append(f"💾 Made by hand and replaced, a copy is kept (/docker_kept): {kept}")
    return lines + [f"⚠️ {notice}" for notice in result.get("notices", ())]


COMMAND = Deploy()
