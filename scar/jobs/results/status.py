"""The result of `status`: the state of the containers, and whether production differs from the
workspace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind
from scar.jobs.results.json_record import ABSENT, Absent, JsonRecord
from scar.role import Role


@dataclass(frozen=True)
class ContainerStatus(JsonRecord):
    """The state of a container. A container that the projects file names and the Engine does not
    have is `not found`, with null in its nullable fields.
    """

    name: str
    service: str | None
    primary: bool
    state: Annotated[str, "The Engine's word, such as `running` or `exited`; or `not found`"]
    health: Annotated[
        str | None, "`healthy`, `starting` or `unhealthy`; null without a health check"
    ]
    uptime_seconds: Annotated[int | None, "Null unless it runs"]
    exit_code: Annotated[int | None, "Null while it runs"]
    ports: Annotated[tuple[str, ...], "Published ports, such as `8001→8000/tcp`"]
    image: str | None
    old_version: Annotated[bool, "A deploy would bring it up to date"]
    stopped_seconds: Annotated[int | Absent, "Since when it does not run, where that is known"] = (
        ABSENT
    )


@dataclass(frozen=True)
class LockStatus(JsonRecord):
    """A lock that a person has set on the project."""

    project: Annotated[str, "`*` stands for every project"]
    by: str
    reason: str
    since: Annotated[str, "RFC 3339, UTC"]


@dataclass(frozen=True)
class StatusResult(JsonRecord):
    """The project's containers, the primary one first, and the state of workspace and
    production.
    """

    project: str
    lock: LockStatus | None
    containers: tuple[ContainerStatus, ...]
    production: str
    workspace: str
    old_version: Annotated[bool, "A deploy would bring other files than those in production"]
    workspace_dirty: Annotated[
        bool | None, "`old_version`, and there are uncommitted changes; null where unknown"
    ]
    notices: tuple[str, ...]
    deployed: Annotated[bool, "Left out but before the first deploy: no release, no container"] = (
        True
    )


KIND = JobKind("status", Role.VIEWER, StatusResult)
