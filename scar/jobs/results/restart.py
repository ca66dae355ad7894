"""The plan and the result of restarting a project's containers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind, JobPlan
from scar.jobs.results.json_record import ABSENT, Absent, JsonRecord
from scar.jobs.results.ways import ServiceWay
from scar.role import Role


@dataclass(frozen=True)
class RestartPlan(JobPlan):
    """The containers that would be restarted, in the order of the restarts."""

    containers: tuple[str, ...]
    protected: Annotated[tuple[str, ...], "Containers that are left alone"]
    downtime: Annotated[str, "An estimate: `10-30 seconds`, `none`"]
    ways: Annotated[tuple[ServiceWay, ...], "How each running service is restarted"] = ()


@dataclass(frozen=True)
class RestartResult(JsonRecord):
    """The names of the containers that were restarted, and of those that failed.

    If an interrupted deploy could not be undone first, nothing is restarted and only
    `production_state` is set.
    """

    restarted: tuple[str, ...] | Absent = ABSENT
    failed: tuple[str, ...] | Absent = ABSENT
    downtime_seconds: Annotated[
        float | Absent | None, "Measured; null where nothing could be measured"
    ] = ABSENT
    ways: Annotated[tuple[ServiceWay, ...] | Absent, "How the services were restarted"] = ABSENT
    production_state: Annotated[
        str | Absent, "How an interrupted deploy left production, as a sentence"
    ] = ABSENT


KIND = JobKind("restart", Role.OPERATOR, RestartResult, RestartPlan, asks=True)
