"""What the containers use of the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind
from scar.jobs.results.json_record import JsonRecord
from scar.role import Role


@dataclass(frozen=True)
class ContainerUsage(JsonRecord):
    """A running container's use. Sizes are bytes; network and disk count since it began."""

    name: str
    cpu_percent: Annotated[float, "Of one core, over about a second"]
    memory: Annotated[int, "Bytes in use, without the page cache"]
    memory_limit: int
    network_received: int
    network_sent: int
    disk_read: int
    disk_written: int
    processes: int


@dataclass(frozen=True)
class StatsResult(JsonRecord):
    """One row for each running container."""

    project: str
    containers: tuple[ContainerUsage, ...]


KIND = JobKind("stats", Role.VIEWER, StatsResult)
