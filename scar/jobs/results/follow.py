"""Live log lines; they are the job's output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind
from scar.jobs.results.json_record import JsonRecord
from scar.role import Role


@dataclass(frozen=True)
class FollowResult(JsonRecord):
    """What was followed until the ten minutes were over."""

    container: str
    count: Annotated[int, "Lines"]


KIND = JobKind("follow", Role.VIEWER, FollowResult)
