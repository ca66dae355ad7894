"""`/agent_discard`: restores the workspace to its state before the agent's last run."""

from __future__ import annotations

from collections.abc import Sequence

from scar.commands.job_command import JobCommand
from scar.commands.notices import failure, waiting
from scar.commands.text_format import changed_files, counted, listed
from scar.document import Button, Document, Line, Mood
from scar.jobs.record import Job, JobState
from scar.jobs.results.agent_discard import AgentDiscardPlan
from scar.json_object import JsonObject
from scar.projects import Project, workspace_resource


class AgentDiscardCommand(JobCommand):
    """Undoes the agent's changes, except in files that somebody else has changed since."""

    word = "agent_discard"
    kind = "agent_discard"
    summary = "undo what the coding agent did last"
    noun = "a discard"
    rank = 61

    def locks(self, project: Project | None, args: JsonObject) -> tuple[str, ...]:  # noqa: ARG002
        """Return the resource of the workspace, so that containers can still be restarted."""
        return (workspace_resource(project),) if project else ()

    def question(self, job: Job) -> Document:
        """Return the question: which of the agent's changes would be undone, and which files are
        skipped.
        """
        plan = job.read_plan(AgentDiscardPlan)
        if not plan.counts.total:
            lines = [
                "🗑️ There is nothing to discard: the workspace is as it was.",
                *_left_lines(plan.left),
            ]
        else:
            lines = [
                "🗑️ Discard the agent's changes",
                "",
                f"Workspace: {plan.workspace}",
                "It is put back to how it was before; the agent's changes were:",
                *changed_files(plan.counts, plan.files),
                *_left_lines(plan.left),
            ]
        lines += ["", "Type `yes` to discard"]
        buttons = (Button("🗑️ Yes, discard", "yes", mood=Mood.DANGER), Button("✖️ No", "no"))
        return Document((Line("\n".join(lines)),), buttons)

    def view(self, job: Job) -> Document:
        """Return the number of files restored, and the files that were skipped."""
        if not job.state.ended:
            return waiting(job) or Document.of("🗑️ Discarding...")
        if job.state is not JobState.SUCCEEDED:
            return failure(job, "Discarding failed")
        done = job.read_result(AgentDiscardPlan)
        count = counted(done.counts.total, "file")
        return Document.of(f"✅ Discarded: {count} as before", *_left_lines(done.left))


def _left_lines(paths: Sequence[str]) -> list[str]:
    if not paths:
        return []
    return ["⚠️ Changed since by somebody else, left as they are:", *listed(paths)]


COMMAND = AgentDiscardCommand()
