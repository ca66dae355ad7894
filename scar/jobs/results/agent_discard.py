"""What the coding agent did that is undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.file_changes import FileCounts, FileNames
from scar.jobs.results.job_kind import JobKind, JobPlan
from scar.role import Role


@dataclass(frozen=True)
class AgentDiscardPlan(JobPlan):
    """The agent's changes, and what somebody has changed since. The result is the plan that was
    carried out.
    """

    workspace: str
    counts: FileCounts
    files: FileNames
    left: Annotated[tuple[str, ...], "Changed since by somebody else: left as they are"]


KIND = JobKind("agent_discard", Role.ADMIN, AgentDiscardPlan, AgentDiscardPlan)
