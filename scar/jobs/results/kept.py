"""The result of `kept`: copies of hand-made files that deploys replaced in production."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind
from scar.jobs.results.json_record import JsonRecord
from scar.role import Role


@dataclass(frozen=True)
class KeptFile(JsonRecord):
    """A copy of a file that a deploy replaced although no release had brought it."""

    path: Annotated[str, "Below the production folder"]
    job: Annotated[str, "The job that replaced it"]
    at: Annotated[str, "When that job was made: RFC 3339, UTC"]
    size: Annotated[int, "Bytes"]
    command: Annotated[str, "Brings it back, on the project's host"]
    number: Annotated[int, "Names it in `/docker_kept restore`; never changes"] = 0


@dataclass(frozen=True)
class KeptFiles(JsonRecord):
    """The copies that are kept of replaced hand-made files, newest first."""

    project: str
    files: tuple[KeptFile, ...]


KIND = JobKind("kept", Role.OPERATOR, KeptFiles)
