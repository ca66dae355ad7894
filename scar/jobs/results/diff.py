"""What a deploy would change: its plan, as a result, with the lines that differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.deploy import DeployPlan
from scar.jobs.results.job_kind import JobKind
from scar.role import Role


@dataclass(frozen=True)
class DiffResult(DeployPlan):
    """The plan, and the changes of text files."""

    lines: Annotated[str, "Unified diff of production and workspace, secrets masked"] = ""
    not_in_lines: Annotated[tuple[str, ...], "Changed files that the diff leaves out"] = ()


KIND = JobKind("diff", Role.VIEWER, DiffResult)
