"""Files of production that were made by hand and replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind
from scar.jobs.results.json_record import JsonRecord
from scar.role import Role


@dataclass(frozen=True)
class KeptFile(JsonRecord):
    """A content that a release replaced."""

    path: Annotated[str, "Below the production folder"]
    job: Annotated[str, "The job that replaced it"]
    at: Annotated[str, "When that job was made: RFC 3339, UTC"]
    size: Annotated[int, "Bytes"]
    command: Annotated[str, "Brings it back, on the project's host"]
    number: Annotated[int, "Names it in `/docker_kept restore`; never changes"] = 0


@dataclass(frozen=True)
class KeptFiles(JsonRecord):
    """The latest first."""

    project: str
    files: tuple[KeptFile, ...]


KIND = JobKind("kept", Role.OPERATOR, KeptFiles)
