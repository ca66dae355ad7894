"""An entry of the projects file, as it is offered and added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.json_record import ABSENT, Absent, JsonRecord


@dataclass(frozen=True)
class ProjectEntry(JsonRecord):
    """The order of the fields is the order in which the file has them."""

    workspace: str
    production: str
    compose_project: str
    auto_detect: bool
    host: Annotated[str | Absent, "Absent for the host `default`"] = ABSENT
