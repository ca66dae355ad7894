"""A new entry of the projects file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind, JobPlan
from scar.jobs.results.json_record import JsonRecord
from scar.jobs.results.project_entry import ProjectEntry
from scar.role import Role


@dataclass(frozen=True)
class ProjectAddPlan(JobPlan):
    """The entry to be added, validated as part of the whole projects file."""

    name: str
    entry: ProjectEntry
    file: Annotated[str, "The projects file, links followed"]


@dataclass(frozen=True)
class ProjectAddResult(JsonRecord):
    """What was added, and where."""

    name: str
    file: Annotated[str, "The projects file, links followed"]


KIND = JobKind("project_add", Role.ADMIN, ProjectAddResult, ProjectAddPlan)
