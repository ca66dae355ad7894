"""The plan and the result of cloning a repository into the folder of workspaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind, JobPlan
from scar.jobs.results.json_record import JsonRecord
from scar.jobs.results.project_entry import ProjectEntry
from scar.role import Role


@dataclass(frozen=True)
class ClonePlan(JobPlan):
    """What a clone would create. Nobody has to confirm it; it is for programs that use the API."""

    url: str


@dataclass(frozen=True)
class CloneResult(JsonRecord):
    """The folder of the clone, its commit, and a suggested entry for the projects file."""

    name: Annotated[str, "The folder's, and the project's to be"]
    folder: str
    repository: str
    branch: Annotated[str | None, "Null where HEAD is detached"]
    commit: Annotated[str | None, "Null where the repository is empty"]
    entry: Annotated[ProjectEntry | None, "Null where the projects file has the name already"]
    notices: tuple[str, ...]


KIND = JobKind("clone", Role.ADMIN, CloneResult, ClonePlan)
