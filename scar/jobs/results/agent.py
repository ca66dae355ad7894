"""The result of a coding agent's run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.file_changes import FileCounts, FileNames
from scar.jobs.results.job_kind import JobKind, JobPlan
from scar.jobs.results.json_record import JsonRecord
from scar.role import Role


@dataclass(frozen=True)
class AgentReport(JsonRecord):
    """What an agent's run has changed and printed, whether the run succeeded or failed. A run
    that failed before the agent was started has no report.
    """

    workspace: str
    counts: FileCounts
    files: FileNames
    diff: Annotated[str, "Unified; empty where it could not be made"]
    not_in_diff: Annotated[tuple[str, ...], "Changed files that the diff leaves out"]
    notices: tuple[str, ...]
    output: Annotated[tuple[str, ...], "The agent's last lines"]
    seconds: Annotated[float | None, "How long it took; null where its worker was killed"]
    compared: Annotated[bool, "False where looking at what changed failed"] = True


KIND = JobKind("agent", Role.ADMIN, AgentReport, JobPlan, long=True)
