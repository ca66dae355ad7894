"""The result of following a container's log; the lines themselves are the job's `output` events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind
from scar.jobs.results.json_record import JsonRecord
from scar.role import Role


@dataclass(frozen=True)
class FollowResult(JsonRecord):
    """The container whose log was followed until the time limit of ten minutes."""

    container: str
    count: Annotated[int, "Lines"]


KIND = JobKind("follow", Role.VIEWER, FollowResult, long=True)
