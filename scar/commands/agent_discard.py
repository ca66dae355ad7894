"""`/agent_discard`: the workspace as it was before the agent's last run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scar.access import Role
from scar.commands.agent import changed_files
from scar.commands.command import JobCommand, failure, waiting
from scar.commands.words import counted, listed
from scar.document import Button, Document, Line
from scar.jobs.record import Job, JobState
from scar.projects import Project, workspace_resource


class AgentDiscard(JobCommand):
    """Undoes what the agent did, and nothing that anybody did since."""

    word = "agent_discard"
    kind = "agent_discard"
    summary = "undo what the coding agent did last"
    role = Role.ADMIN
    asks = True
    changes = True
    rank = 61

    def locks(self, project: Project | None, args: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG002
        """The workspace, and nothing of what runs."""
        return (workspace_resource(project),) if project else ()

    def question(self, job: Job) -> Document:
        """What the agent did that would be undone, and what is left."""
        plan = job.plan or {}
        if not sum(plan.get("counts", {}).values()):
            lines = ["🗑️ There is nothing to discard: the workspace is as it was.", *_left(plan)]
        else:
            lines = [
                "🗑️ Discard the agent's changes",
                "",
                f"Workspace: {plan.get('workspace')}",
                "It is put back to how it was before; the agent's changes were:",
                *changed_files(plan),
                *_left(plan),
            ]
        lines += ["", "Type `yes` to discard"]
        buttons = (Button("🗑️ Yes, discard", "yes"), Button("✖️ No", "no"))
        return Document((Line("\n".join(lines)),), buttons)

    def view(self, job: Job) -> Document:
        """How many files are as they were."""
        if not job.state.ended:
            return waiting(job) or Document.of("🗑️ Discarding...")
        if job.state is not JobState.SUCCEEDED:
            return failure(job, "Discarding failed")
        result = job.result or {}
        count = counted(sum(result.get("counts", {}).values()), "file")
        return Document.of(f"✅ Discarded: {count} as before", *_left(result))


def _left(found: Mapping[str, Any]) -> list[str]:
    if not found.get("left"):
        return []
    return ["⚠️ Changed since by somebody else, left as they are:", *listed(list(found["left"]))]


COMMAND = AgentDiscard()
