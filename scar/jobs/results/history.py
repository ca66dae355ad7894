"""The result of `history`: the releases of a project."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind
from scar.jobs.results.json_record import JsonRecord
from scar.jobs.results.ways import NO_DOWNTIME
from scar.role import Role


@dataclass(frozen=True)
class ReleaseRow(JsonRecord):
    """One release: when it was deployed, by whom, and from which commit."""

    id: Annotated[str, "The id of the job that made it"]
    at: Annotated[str, "RFC 3339, UTC"]
    by: str
    commit: Annotated[str | None, "Null where the workspace is no Git repository"]
    dirty: Annotated[bool | None, "There were uncommitted changes; null where unknown"]
    seconds: Annotated[float, "How long the job took"]
    downtime: Annotated[float | None, "Seconds; null where nothing could be measured"]
    restored: Annotated[str | None, "The release that a rollback went back to"]
    services: tuple[str, ...]
    files: Annotated[int, "How many files it has"]
    subject: Annotated[str | None, "The first line of the commit's message"] = None
    ago: Annotated[int, "How many releases came after it: 0 is the newest"] = 0
    forecast: Annotated[str | None, "The downtime that was said before: `0-2 seconds`, `none`"] = (
        None
    )
    waited: Annotated[float | None, "Seconds that new connections were made to wait"] = None

    @property
    def as_said(self) -> bool | None:
        """Whether downtime and wait were at most what was said; None where one is unknown."""
        if self.forecast is None or self.downtime is None:
            return None
        numbers = [int(number) for number in re.findall(r"\d+", self.forecast)]
        longest = numbers[-1] if numbers else 0
        if self.forecast.startswith(NO_DOWNTIME):
            return self.downtime == 0 and (self.waited or 0) <= longest
        return self.downtime <= longest


@dataclass(frozen=True)
class HistoryResult(JsonRecord):
    """A project's releases, newest first."""

    project: str
    releases: tuple[ReleaseRow, ...]


KIND = JobKind("history", Role.VIEWER, HistoryResult)
