"""The result of `stats`: the containers' resource usage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.job_kind import JobKind
from scar.jobs.results.json_record import ABSENT, Absent, JsonRecord
from scar.role import Role


@dataclass(frozen=True)
class ContainerUsage(JsonRecord):
    """Resource usage of a running container. Sizes are bytes; network and disk are totals since
    its start.
    """

    name: str
    cpu_percent: Annotated[float, "Of one core, over a second; of a series, over its last 10"]
    memory: Annotated[int, "Bytes in use, without the page cache"]
    memory_limit: int
    network_received: int
    network_sent: int
    disk_read: int
    disk_written: int
    processes: int


@dataclass(frozen=True)
class UsageSeries(JsonRecord):
    """What a container used over time: one value for each step, null where nothing was measured.

    CPU is in percent of one core, memory in bytes, the rest in bytes a second.
    """

    name: str
    cpu: tuple[float | None, ...]
    memory: tuple[int | None, ...]
    network_received: tuple[int | None, ...]
    network_sent: tuple[int | None, ...]
    disk_read: tuple[int | None, ...]
    disk_written: tuple[int | None, ...]


@dataclass(frozen=True)
class UsageMark(JsonRecord):
    """An event during that time: a `deploy`, a `rollback` or an `alert`."""

    at: Annotated[int, "Milliseconds since the epoch"]
    kind: str
    text: str


@dataclass(frozen=True)
class UsageHistory(JsonRecord):
    """The usage over a time span. The first value of each series is of `start`, the next of
    `step_seconds` later.
    """

    start: Annotated[int, "Milliseconds since the epoch"]
    step_seconds: int
    containers: tuple[UsageSeries, ...]
    marks: tuple[UsageMark, ...]


@dataclass(frozen=True)
class StatsResult(JsonRecord):
    """The present usage of each running container, and with a time span also the usage over it."""

    project: str
    containers: tuple[ContainerUsage, ...]
    history: UsageHistory | Absent = ABSENT


KIND = JobKind("stats", Role.VIEWER, StatsResult)
