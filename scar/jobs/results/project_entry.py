"""An entry of the projects file, as suggested by `clone` and added by `project_add`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.json_record import ABSENT, Absent, JsonRecord


@dataclass(frozen=True)
class ProjectEntry(JsonRecord):
    """The fields of an entry, in the order in which they are written to the file."""

    workspace: str
    production: str
    compose_project: str
    auto_detect: bool
    host: Annotated[str | Absent, "Absent for the host `default`"] = ABSENT
