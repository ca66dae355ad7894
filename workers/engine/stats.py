"""What containers use, measured by the Engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from docker.errors import NotFound

from workers.engine.connection import Engine
from workers.engine.containers import Container

_AT_ONCE = 8


@dataclass(frozen=True)
class Usage:
    """One container's use. `cpu_percent` is of one core, over about a second; the rest is bytes
    (memory in use without the page cache, as `docker stats` counts it) since the container began.
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


def usage(engine: Engine, containers: list[Container]) -> list[Usage]:
    """The use of each running container, all measured in the same second."""
    running = [container for container in containers if container.state == "running"]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda container: _one(engine, container), running)
        return [one for one in found if one is not None]


def _one(engine: Engine, container: Container) -> Usage | None:
    with engine.api() as api:
        try:
            found: dict[str, Any] = api.stats(container.id, stream=False)
        except NotFound:
            return None
    memory = found.get("memory_stats", {})
    cache = memory.get("stats", {})
    unused = cache.get("inactive_file", cache.get("total_inactive_file", 0))
    networks = (found.get("networks") or {}).values()
    disk = (found.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    return Usage(
        name=container.name,
        cpu_percent=_cpu(found),
        memory=max(0, memory.get("usage", 0) - unused),
        memory_limit=memory.get("limit", 0),
        network_received=sum(network["rx_bytes"] for network in networks),
        network_sent=sum(network["tx_bytes"] for network in networks),
        disk_read=_disk(disk, "read"),
        disk_written=_disk(disk, "write"),
        processes=(found.get("pids_stats") or {}).get("current", 0),
    )


def _cpu(found: dict[str, Any]) -> float:
    """Docker's own formula: the container's share of the host's time, times its cores."""
    now, before = found.get("cpu_stats", {}), found.get("precpu_stats", {})
    host = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    used = now.get("cpu_usage", {}).get("total_usage", 0)
    used -= before.get("cpu_usage", {}).get("total_usage", 0)
    return round(used / host * now.get("online_cpus", 1) * 100, 1) if host > 0 else 0.0


def _disk(rows: list[dict[str, Any]], what: str) -> int:
    return sum(row["value"] for row in rows if row["op"].lower() == what)
