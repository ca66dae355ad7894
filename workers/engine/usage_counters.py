"""Reads what a container has used so far: CPU time, memory, network and disk.

If this process can see the container's cgroup (version 2), the kernel's files are read, which takes
0.1 ms. Otherwise the Engine is asked, with `one-shot`, so that it does not wait a second for a
second measurement (about 2 ms).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from docker.errors import NotFound

from scar.json_object import JsonObject
from workers.engine.connection import Engine

_SHARED_NETWORKS = ("host", "container:", "ns:", "none")


@dataclass(frozen=True)
class UsageCounters:
    """What a container has used: CPU time in nanoseconds, network and disk in bytes since its
    start; memory in bytes now, without the page cache. Values that the source does not have are 0.
    """

    cpu: int
    memory: int
    received: int
    sent: int
    read: int
    written: int


@dataclass(frozen=True)
class _KernelFiles:
    """The kernel's files with a container's counters. `network` is None if the container has no
    network of its own.
    """

    of_process: Path
    cgroup: Path
    network: Path | None


class UsageReader:
    """Reads the counters of containers, and remembers each container's kernel files."""

    def __init__(
        self,
        engine: Engine,
        *,
        cgroups: Path = Path("/sys/fs/cgroup"),
        processes: Path = Path("/proc"),
    ) -> None:
        self._engine = engine
        self._cgroups = cgroups
        self._processes = processes
        self._has_cgroups = (cgroups / "cgroup.controllers").exists()
        self._files: dict[str, _KernelFiles | None] = {}

    def forget_others(self, ids: Iterable[str]) -> None:
        """Forget every container that is not one of `ids`."""
        wanted = frozenset(ids)
        self._files = {id: files for id, files in self._files.items() if id in wanted}

    def read(self, id: str) -> UsageCounters | None:
        """Return the counters of a running container; None if it has ended."""
        for _ in range(2):  # after a restart, the container has the same id but another process
            files = self._files_of(id)
            if files is None:
                break
            try:
                return _from_kernel(files, id)
            except (OSError, ValueError, LookupError):
                self._files.pop(id, None)
        return self._from_engine(id)

    def _files_of(self, id: str) -> _KernelFiles | None:
        if not self._has_cgroups:
            return None
        if id not in self._files:
            self._files[id] = self._find_files(id)
        return self._files[id]

    def _find_files(self, id: str) -> _KernelFiles | None:
        """Return the kernel's files of a container; None if its pid is another process here, which
        is so if SCAR runs in a container with a pid namespace of its own.
        """
        with self._engine.api() as api:
            try:
                details: JsonObject = api.inspect_container(id)
            except NotFound:
                return None
        process = self._processes / str(details["State"].get("Pid") or 0)
        try:
            path = _cgroup_path(process / "cgroup", id)
        except (OSError, LookupError):
            return None
        cgroup = self._cgroups / path.lstrip("/")
        if not (cgroup / "cpu.stat").exists():
            return None
        mode = str((details.get("HostConfig") or {}).get("NetworkMode") or "")
        shared = mode.startswith(_SHARED_NETWORKS)
        return _KernelFiles(process / "cgroup", cgroup, None if shared else process / "net/dev")

    def _from_engine(self, id: str) -> UsageCounters | None:
        with self._engine.api() as api:
            try:
                stats: JsonObject = api.stats(id, stream=False, one_shot=True)
            except NotFound:
                return None
        return counters_of(stats)


def counters_of(stats: JsonObject) -> UsageCounters:
    """Return the counters in an answer of `GET /containers/ID/stats`."""
    memory = stats.get("memory_stats") or {}
    cache = memory.get("stats") or {}
    unused = cache.get("inactive_file", cache.get("total_inactive_file", 0))
    networks = (stats.get("networks") or {}).values()
    disk = (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    used = (stats.get("cpu_stats") or {}).get("cpu_usage") or {}
    return UsageCounters(
        cpu=used.get("total_usage") or 0,
        memory=max(0, (memory.get("usage") or 0) - unused),
        received=sum(network.get("rx_bytes") or 0 for network in networks),
        sent=sum(network.get("tx_bytes") or 0 for network in networks),
        read=_disk_bytes(disk, "read"),
        written=_disk_bytes(disk, "write"),
    )


def _disk_bytes(rows: Sequence[JsonObject], direction: str) -> int:
    return sum(row.get("value") or 0 for row in rows if row.get("op", "").lower() == direction)


def _cgroup_path(file: Path, id: str) -> str:
    """Return the path of a process's cgroup (version 2); LookupError if it is of another container
    or none.
    """
    for line in file.read_text().splitlines():
        number, _, path = line.partition("::")
        if number == "0" and id in path:
            return path
    raise LookupError(id)


def _from_kernel(files: _KernelFiles, id: str) -> UsageCounters:
    _cgroup_path(files.of_process, id)
    memory = _flat(files.cgroup / "memory.stat")
    current = int((files.cgroup / "memory.current").read_text())
    received, sent = _network(files.network) if files.network else (0, 0)
    read, written = _disk(files.cgroup / "io.stat")
    return UsageCounters(
        cpu=_flat(files.cgroup / "cpu.stat")["usage_usec"] * 1000,
        memory=max(0, current - memory.get("inactive_file", 0)),
        received=received,
        sent=sent,
        read=read,
        written=written,
    )


def _flat(path: Path) -> Mapping[str, int]:
    """Read a flat keyed file: `name value` on each line."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2}


def _disk(path: Path) -> tuple[int, int]:
    """Sum up `8:0 rbytes=1 wbytes=2 ...` of every device; a host without the io controller has no
    such file.
    """
    if not path.exists():
        return 0, 0
    sums = {"rbytes": 0, "wbytes": 0}
    for word in path.read_text().split():
        name, _, value = word.partition("=")
        if name in sums:
            sums[name] += int(value)
    return sums["rbytes"], sums["wbytes"]


def _network(path: Path) -> tuple[int, int]:
    """Sum up the bytes received and sent on every interface but the loopback."""
    received = sent = 0
    for line in path.read_text().splitlines()[2:]:
        name, _, row = line.partition(":")
        values = row.split()
        if name.strip() != "lo":
            received += int(values[0])
            sent += int(values[8])
    return received, sent
