"""The plan of `agent_discard`, which undoes a coding agent's changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.file_changes import FileCounts, FileNames
from scar.jobs.results.job_kind import JobKind, JobPlan
from scar.role import Role


@dataclass(frozen=True)
class AgentDiscardPlan(JobPlan):
    """The agent's changes that are undone, and those that are skipped because somebody has
    changed the files since. The job's result has the same form.
    """

    workspace: str
    counts: FileCounts
    files: FileNames
    left: Annotated[tuple[str, ...], "Changed since by somebody else: left as they are"]


KIND = JobKind("agent_discard", Role.ADMIN, AgentDiscardPlan, AgentDiscardPlan, asks=True)
