"""The result of `stats`: the containers' resource usage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind
from scar.jobs.results.json_record import JsonRecord
from scar.role import Role


@dataclass(frozen=True)
class ContainerUsage(JsonRecord):
    """Resource usage of a running container. Sizes are bytes; network and disk are totals since
    its start.
    """

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
    """The usage of each running container."""

    project: str
    containers: tuple[ContainerUsage, ...]


KIND = JobKind("stats", Role.VIEWER, StatsResult)
