"""The plan and the result of a deploy or a rollback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.compose_changes import NO_CHANGES, ComposeChanges
from scar.jobs.results.file_changes import FileCounts, FileNames
from scar.jobs.results.history import ReleaseRow
from scar.jobs.results.job_kind import JobKind, JobPlan
from scar.jobs.results.json_record import ABSENT, Absent, JsonRecord
from scar.jobs.results.ways import ServiceWay
from scar.role import Role


@dataclass(frozen=True)
class DeployCounts(FileCounts):
    """How many files differ. `drift` and `kept` count files of production that are replaced
    after a copy is kept.
    """

    drift: Annotated[int, "Files of a release that were changed by hand"]
    kept: Annotated[int, "Files that no release brought"]


@dataclass(frozen=True)
class DeployPlan(JobPlan):
    """The files a deploy would copy, the images it would build, and the services it would
    restart. Lists of paths contain at most 200.
    """

    workspace: str
    production: str
    nothing: Annotated[bool, "There is nothing to copy, build or restart"]
    counts: DeployCounts
    files: FileNames
    drift: Annotated[tuple[str, ...], "Files of a release that were changed by hand"]
    kept: Annotated[tuple[str, ...], "Files that no release brought, and that are replaced"]
    left_alone: Annotated[
        tuple[str, ...], "Files of the workspace that production keeps its own of"
    ]
    outward: Annotated[
        tuple[str, ...], "Links out of the workspace, as `PATH -> TARGET`, copied as links"
    ]
    special: Annotated[tuple[str, ...], "Sockets, pipes and devices, which are left out"]
    build: Annotated[tuple[str, ...], "Services whose image is built"]
    restart: Annotated[tuple[str, ...], "Services that are restarted or recreated"]
    release: Annotated[str | None, "The release that is gone back to; null for a deploy"]
    commit: str | None
    dirty: Annotated[bool | None, "There are uncommitted changes; null where unknown"]
    downtime: Annotated[str | None, "An estimate: `0-2 seconds`, `none`; null without a restart"]
    notices: tuple[str, ...]
    compose: ComposeChanges = NO_CHANGES
    target: Annotated[ReleaseRow | None, "The release that is gone back to"] = None
    ways: Annotated[tuple[ServiceWay, ...], "How each running service is replaced"] = ()
    offer: Annotated[
        tuple[str, ...], "Services that could be replaced without downtime; offered once"
    ] = ()


@dataclass(frozen=True)
class PrimaryContainer(JsonRecord):
    """The state of the project's primary container after the job."""

    name: str
    state: Annotated[str, "The Engine's word, such as `running`"]
    uptime_seconds: Annotated[int, "0 where it does not run"]


@dataclass(frozen=True)
class DeployResult(JsonRecord):
    """The outcome. A failed job has `production_state`, and `downtime_seconds` if it restarted
    something. A job that was found completed after a crash lacks what only the killed worker knew.
    """

    nothing: Annotated[bool | Absent, "There was nothing to copy, build or restart"] = ABSENT
    release: Annotated[str | Absent, "The release that was made"] = ABSENT
    restored: Annotated[str | Absent | None, "The release that was gone back to"] = ABSENT
    commit: str | Absent | None = ABSENT
    counts: DeployCounts | Absent = ABSENT
    built: Annotated[tuple[str, ...] | Absent, "Services"] = ABSENT
    restarted: Annotated[tuple[str, ...] | Absent, "Services"] = ABSENT
    downtime_seconds: Annotated[
        float | Absent | None, "Measured; null where nothing could be measured"
    ] = ABSENT
    seconds: Annotated[float | Absent, "How long the job took"] = ABSENT
    kept: Annotated[
        tuple[str, ...] | Absent, "Files made by hand that were replaced; a copy of each is kept"
    ] = ABSENT
    notices: tuple[str, ...] | Absent = ABSENT
    ways: Annotated[tuple[ServiceWay, ...] | Absent, "How the services were replaced"] = ABSENT
    primary: Annotated[PrimaryContainer | Absent | None, "Null where there is none"] = ABSENT
    production_state: Annotated[
        str | Absent, "How production is now that the job has failed, as a sentence"
    ] = ABSENT


KIND = JobKind("deploy", Role.OPERATOR, DeployResult, DeployPlan, asks=True)
