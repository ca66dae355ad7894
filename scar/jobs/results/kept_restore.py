"""The plan and the result of restoring a kept copy into production."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind, JobPlan
from scar.jobs.results.json_record import ABSENT, Absent, JsonRecord
from scar.role import Role


@dataclass(frozen=True)
class KeptRestorePlan(JobPlan):
    """The copy to restore, and what happens to the present file."""

    path: Annotated[str, "Below the production folder"]
    production: str
    at: Annotated[str, "When the job that replaced it was made: RFC 3339, UTC"]
    size: Annotated[int, "Bytes"]
    nothing: Annotated[bool, "Production has that content already"]
    replaces: Annotated[bool, "There is a file now, which is replaced"]
    keeps: Annotated[bool, "No release brought what is there now: a copy of it is kept too"]


@dataclass(frozen=True)
class KeptRestoreResult(JsonRecord):
    """The restored file; a failed job has only `production_state`."""

    path: str | Absent = ABSENT
    nothing: Annotated[bool | Absent, "Production had that content already"] = ABSENT
    production_state: Annotated[
        str | Absent, "How production is now that the job has failed, as a sentence"
    ] = ABSENT


KIND = JobKind("kept_restore", Role.OPERATOR, KeptRestoreResult, KeptRestorePlan, asks=True)
