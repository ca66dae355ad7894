"""Says where the memory that stand-ins need beside the containers they stand in for is not free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from scar.jobs.results.ways import STAND_IN, ServiceWay
from workers.engine.container import Container
from workers.engine.usage_counters import UsageCounters

_MEBIBYTE = 1024 * 1024
_MEMINFO = Path("/proc/meminfo")


def with_memory_notes(
    ways: tuple[ServiceWay, ...],
    containers: Sequence[Container],
    read: Callable[[str], UsageCounters | None],
) -> tuple[ServiceWay, ...]:
    """Note with each stand-in that all of them need more memory than is available.

    Each is taken to need what its service uses now, which `read` returns by the container's id.
    """
    services = {way.service for way in ways if way.way == STAND_IN}
    running = [c for c in containers if c.service in services and c.state == "running"]
    if not running:
        return ways
    counters = [read(container.id) for container in running]
    needed = sum(counted.memory for counted in counters if counted is not None)
    available = available_memory()
    if available is None or needed <= available:
        return ways
    note = f"needs {needed // _MEBIBYTE} MiB of memory twice, {available // _MEBIBYTE} MiB are free"
    return tuple(replace(way, why=note) if way.way == STAND_IN else way for way in ways)


def available_memory(meminfo: Path = _MEMINFO) -> int | None:
    """Return how many bytes new processes can have on this host; None where it does not say."""
    try:
        lines = meminfo.read_text("ascii").splitlines()
    except OSError:
        return None
    fields = (line.split() for line in lines)
    return next((int(field[1]) * 1024 for field in fields if field[0] == "MemAvailable:"), None)
