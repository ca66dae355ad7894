"""The result of `logs`: the last lines of a container's log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind
from scar.jobs.results.json_record import JsonRecord
from scar.role import Role


@dataclass(frozen=True)
class LogTail(JsonRecord):
    """Log lines of stdout and stderr, merged by time."""

    container: str
    count: int
    lines: Annotated[tuple[str, ...], "`[2026-01-31 12:00:00] text`, oldest first"]
    notices: tuple[str, ...]


KIND = JobKind("logs", Role.VIEWER, LogTail)
