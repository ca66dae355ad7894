"""Measures the resource usage of containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

from docker.errors import NotFound

from scar.json_object import JsonObject
from workers.engine.connection import Engine
from workers.engine.container import Container
from workers.engine.usage_counters import counters_of

_THREADS = 8


@dataclass(frozen=True)
class Usage:
    """The resource usage of a container.

    `cpu_percent` is relative to one core, measured over about a second, or as it is known. All
    other values are bytes: memory without the page cache, as in `docker stats`; network and disk
    since the container's start.
    """

    name: str
    cpu_percent: float
    memory: int
    memory_limit: int
    network_received: int
    network_sent: int
    disk_read: int
    disk_written: int
    processes: int


def usage(
    engine: Engine, containers: Sequence[Container], cpu: Mapping[str, float] = MappingProxyType({})
) -> list[Usage]:
    """Return the usage of each running container, all measured in the same second. `cpu` is what is
    known of their processor time, by name: the Engine measures that for a second or two.
    """
    running = [container for container in containers if container.state == "running"]
    with ThreadPoolExecutor(_THREADS) as pool:
        usages = pool.map(lambda one: _usage(engine, one, cpu.get(one.name)), running)
        return [usage for usage in usages if usage is not None]


def _usage(engine: Engine, container: Container, cpu: float | None) -> Usage | None:
    with engine.api() as api:
        try:
            stats: JsonObject = api.stats(container.id, stream=False, one_shot=cpu is not None)
        except NotFound:
            return None
    counters = counters_of(stats)
    return Usage(
        name=container.name,
        cpu_percent=_cpu_percent(stats) if cpu is None else cpu,
        memory=counters.memory,
        memory_limit=(stats.get("memory_stats") or {}).get("limit", 0),
        network_received=counters.received,
        network_sent=counters.sent,
        disk_read=counters.read,
        disk_written=counters.written,
        processes=(stats.get("pids_stats") or {}).get("current", 0),
    )


def _cpu_percent(stats: JsonObject) -> float:
    """Return the container's share of the host's CPU time, multiplied by the number of cores.

    The formula is that of the Engine API's `ContainerStats`.
    """
    now, before = stats.get("cpu_stats", {}), stats.get("precpu_stats", {})
    host = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    used = now.get("cpu_usage", {}).get("total_usage", 0)
    used -= before.get("cpu_usage", {}).get("total_usage", 0)
    return round(used / host * now.get("online_cpus", 1) * 100, 1) if host > 0 else 0.0
