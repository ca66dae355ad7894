"""Renders the plan, the progress and the result of a deploy or a rollback."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scar.commands.notices import failure, waiting
from scar.commands.text_format import capitalized, changed_files, counted, listed, uptime
from scar.commands.ways_view import offer_lines, wait_lines, way_lines
from scar.document import Code, Document, Line
from scar.jobs.record import Job, JobState
from scar.jobs.results.deploy import DeployPlan, DeployResult
from scar.jobs.results.json_record import present
from scar.jobs.step import Step, StepState

UP_TO_DATE = "✅ Production is up to date. Nothing to deploy."

_STEP_TEXTS = {
    "updating": "⬇️ Updating workspace...",
    "checking": "🔍 Checking...",
    "copying": "📦 Copying files...",
    "building": "🔨 Building new image...",
    "restarting": "🔄 Restarting containers...",
    "verifying": "🩺 Checking health...",
    "rolling_back": "↩️ Putting production back...",
}
_SHOWN_WHILE_NEWEST = ("checking", "verifying")
_MOST_NAMES = 5


def plan_lines(plan: DeployPlan) -> list[str]:
    """Return the plan's lines: the files to copy, the images to build and the services to
    restart.
    """
    if plan.nothing:
        return [UP_TO_DATE]
    counts = plan.counts
    lines = [f"Files: {counts.added} added, {counts.changed} changed, {counts.removed} removed"]
    lines += changed_files(counts, plan.files, indent="  ")
    if plan.build:
        lines.append(f"Build: {', '.join(plan.build)}")
    lines += _compose_lines(plan)
    if plan.drift:
        count = counted(counts.drift or len(plan.drift), "file")
        lines.append(f"⚠️ Changed by hand in production ({count}; the old content is kept):")
        lines += listed(plan.drift, most=_MOST_NAMES)
    if plan.left_alone:
        lines.append(f"💡 Left as it is in production: {', '.join(plan.left_alone)}")
    if plan.outward:
        lines.append(f"🔗 Lead out of the workspace, copied as links ({len(plan.outward)}):")
        lines += listed(plan.outward, most=_MOST_NAMES)
    if plan.special:
        lines.append(f"💡 Left out, sockets, pipes or devices: {_first_names(plan.special)}")
    lines += [f"⚠️ {notice}" for notice in plan.notices]
    if plan.downtime:
        lines.append(f"⏱️ Estimated downtime: {plan.downtime}")
    lines += [f"  {line}" for line in way_lines(plan.ways, plan.downtime)]
    lines += offer_lines(plan.offer)
    return lines


def changed_lines(plan: DeployPlan) -> list[str]:
    """Return lines with what has changed since the previous question, and an empty line; nothing
    for a first question.
    """
    if not plan.changed:
        return []
    sentences = plan.since_shown or ("What would be done changed while you were reading",)
    return [*(f"⚠️ {sentence}" for sentence in sentences), ""]


def _compose_lines(plan: DeployPlan) -> list[str]:
    changes = plan.compose
    untold = set(plan.restart).difference(changes.new, changes.recreated, changes.restarted)
    lines = [
        f"{what}: {', '.join(names)}"
        for what, names in (
            ("Fetch the image of", changes.pulled),
            ("New", changes.new),
            ("Recreate", changes.recreated),
            ("Restart", (*changes.restarted, *sorted(untold))),
            ("New volume, empty", changes.new_volumes),
            ("New network", changes.new_networks),
        )
        if names
    ]
    if changes.gone:
        names = " ".join(changes.gone)
        lines += [
            f"⚠️ No longer in the Compose file, but goes on running: {', '.join(changes.gone)}",
            f"  To remove it, on the project's host: docker rm -f {names}",
        ]
    if changes.unused_volumes:
        volumes = ", ".join(changes.unused_volumes)
        lines.append(f"⚠️ Volume no longer used; it stays, with its data: {volumes}")
    if changes.unused_networks:
        lines.append(f"Network no longer used; it stays: {', '.join(changes.unused_networks)}")
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
        at = f" at {_shown_name(failed)}" if failed else ""
        word = "cancelled" if job.state is JobState.CANCELLED else "failed"
        blocks += failure(job, f"{what} {word}{at}").blocks
        result = job.read_result(DeployResult)
        if result.production_state:
            sign = "↩️" if job.step("rolling_back") else "💡"
            blocks.append(Line(f"{sign} {result.production_state}"))
        blocks += [Line(line) for line in _downtime_lines(result)]
    return Document(tuple(blocks))


def _is_shown(step: Step, job: Job) -> bool:
    if step.state in (StepState.PENDING, StepState.SKIPPED):
        return False
    if step.name not in _SHOWN_WHILE_NEWEST:
        return True
    # Shown until the next step begins; if the message fell back to an earlier text, it would look
    # like a restart.
    begun = [s for s in job.steps if s.state is not StepState.PENDING]
    return not job.state.ended and step.name == begun[-1].name


def _text(step: Step) -> str:
    if step.title == "Fetching images":
        return "📥 Fetching images..."
    return _STEP_TEXTS.get(step.name, f"▶️ {step.title}...")


def _shown_name(step: Step) -> str:
    """Return the step's name for its line: `Copying files`."""
    return _text(step).partition(" ")[2].removesuffix("...")


def _step_line(step: Step) -> str:
    text = _text(step)
    if step.progress and step.progress.total:
        text += f" {step.progress.done}/{step.progress.total}"
    return text


def _downtime_lines(result: DeployResult) -> list[str]:
    downtime = present(result.downtime_seconds)
    return [] if downtime is None else [f"⏱️ Downtime: {downtime:.1f}s"]


def result_details(result: DeployResult) -> list[str]:
    """Return lines for the primary container's state, the downtime, the backup copies and the
    notices.
    """
    lines = []
    if result.primary:
        primary = result.primary
        up = f" ({uptime(primary.uptime_seconds)} uptime)" if primary.uptime_seconds else ""
        lines.append(f"{capitalized(primary.name)}: {primary.state.capitalize()}{up}")
    lines += _downtime_lines(result)
    lines += wait_lines(result.ways)
    lines.append("Check status: /docker_status")
    if result.kept:
        kept = _first_names(result.kept)
        lines.append(f"💾 Made by hand and replaced, a copy is kept (/docker_kept): {kept}")
    return lines + [f"⚠️ {notice}" for notice in result.notices or ()]


def _first_names(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
