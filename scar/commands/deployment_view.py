"""Renders the plan, the progress and the result of a deploy or a rollback."""

from __future__ import annotations

from collections.abc import Callable

from scar.commands.notices import failure, waiting
from scar.commands.text_format import changed_files, counted, listed, title, uptime
from scar.document import Code, Document, Line
from scar.jobs.record import Job, JobState
from scar.jobs.results.deploy import DeployPlan, DeployResult
from scar.jobs.results.json_record import present
from scar.jobs.step import Step, StepState

_STEP_TEXTS = {
    "updating": "⬇️ Updating workspace...",
    "checking": "🔍 Checking...",
    "copying": "📦 Copying files...",
    "building": "🔨 Building new image...",
    "restarting": "🔄 Restarting containers...",
    "verifying": "🩺 Checking health...",
    "rolling_back": "↩️ Putting production back...",
}
_SHOWN_WHILE_RUNNING = ("checking", "verifying")
_MOST_NAMES = 5


def plan_lines(plan: DeployPlan) -> list[str]:
    """Return the plan's lines: the files to copy, the images to build and the services to
    restart.
    """
    if plan.nothing:
        return ["✅ Nothing differs: there is nothing to copy, build or restart."]
    counts = plan.counts
    lines = [f"Files: {counts.added} added, {counts.changed} changed, {counts.removed} removed"]
    lines += changed_files(counts, plan.files, most=_MOST_NAMES, indent="  ")
    if plan.build:
        lines.append(f"Build: {', '.join(plan.build)}")
    if plan.restart:
        lines.append(f"Restart: {', '.join(plan.restart)}")
    if plan.drift:
        count = counted(counts.drift or len(plan.drift), "file")
        lines.append(f"⚠️ Changed by hand in production ({count}; the old content is kept):")
        lines += listed(plan.drift, most=_MOST_NAMES)
    if plan.left_alone:
        lines.append(f"💡 Left as it is in production: {', '.join(plan.left_alone)}")
    lines += [f"⚠️ {notice}" for notice in plan.notices]
    if plan.downtime:
        lines.append(f"⏱️ Estimated downtime: {plan.downtime}")
    return lines


def progress_view(
    job: Job, begun: str, what: str, result_lines: Callable[[DeployResult], list[str]]
) -> Document:
    """Return the steps so far, then `result_lines` of the result, or why the job failed.

    `begun` is shown before the first step begins; `what` names the job in the message of a failure.
    """
    lines = [_step_line(step) for step in job.steps if _is_shown(step, job)]
    if not lines and not job.state.ended:
        return waiting(job) or Document.of(begun)
    blocks: list[Line | Code] = [Line("\n".join(lines))] if lines else []
    if job.state is JobState.SUCCEEDED:
        blocks.append(Line("\n".join(result_lines(job.read_result(DeployResult)))))
    elif job.state.ended:
        failed = next((s for s in job.steps if s.state is StepState.FAILED), None)
        at = f" at {failed.title}" if failed else ""
        word = "cancelled" if job.state is JobState.CANCELLED else "failed"
        blocks += failure(job, f"{what} {word}{at}").blocks
        state = job.read_result(DeployResult).production_state
        if state:
            blocks.append(Line(f"↩️ {state}"))
    return Document(tuple(blocks))


def _is_shown(step: Step, job: Job) -> bool:
    if step.state in (StepState.PENDING, StepState.SKIPPED):
        return False
    running = step.state is StepState.RUNNING and not job.state.ended
    return running or step.name not in _SHOWN_WHILE_RUNNING


def _step_line(step: Step) -> str:
    text = _STEP_TEXTS.get(step.name, f"▶️ {step.title}...")
    if step.progress and step.progress.total:
        text += f" {step.progress.done}/{step.progress.total}"
    return text


def result_details(result: DeployResult) -> list[str]:
    """Return lines for the primary container's state, the downtime, the backup copies and the
    notices.
    """
    lines = []
    if result.primary:
        primary = result.primary
        up = f" ({uptime(primary.uptime_seconds)} uptime)" if primary.uptime_seconds else ""
        lines.append(f"{title(primary.name)}: {primary.state.capitalize()}{up}")
    downtime = present(result.downtime_seconds)
    if downtime is not None:
        lines.append(f"⏱️ Downtime: {downtime:.1f}s")
    lines.append("Check status: /docker_status")
    if result.kept:
        more = ", …" if len(result.kept) > _MOST_NAMES else ""
        kept = ", ".join(result.kept[:_MOST_NAMES]) + more
        lines.append(f"💾 Made by hand and replaced, a copy is kept (/docker_kept): {kept}")
    return lines + [f"⚠️ {notice}" for notice in result.notices or ()]
