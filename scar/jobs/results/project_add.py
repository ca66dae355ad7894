"""The plan and the result of adding an entry to the projects file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind, JobPlan
from scar.jobs.results.json_record import JsonRecord
from scar.jobs.results.project_entry import ProjectEntry
from scar.role import Role


@dataclass(frozen=True)
class ProjectAddPlan(JobPlan):
    """The entry to add. The projects file was validated as a whole with the entry in it."""

    name: str
    entry: ProjectEntry
    file: Annotated[str, "The projects file, links followed"]


@dataclass(frozen=True)
class ProjectAddResult(JsonRecord):
    """The added entry, and the path of the projects file."""

    name: str
    file: Annotated[str, "The projects file, links followed"]


KIND = JobKind("project_add", Role.ADMIN, ProjectAddResult, ProjectAddPlan, asks=True)
