"""How long a project did not answer, measured from outside its containers."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from types import TracebackType

from scar.errors import ScarError
from workers.engine.containers import Container, Containers

INTERVAL = 0.1
"""Seconds between two probes of one target."""

_PROBE_TIMEOUT = 1.0
_SILENCE = 0.05
"""A port that takes a connection and keeps it this long is answering, though it says nothing."""


@dataclass(frozen=True)
class Downtime:
    """`seconds` in which at least one target did not answer, to about half an `INTERVAL`, counted
    once where several were down together. `targets` says what was measured, such as `web:80/tcp`
    or `db (health)`; where it is empty nothing could be measured and `seconds` is None.
    """

    seconds: float | None
    targets: tuple[str, ...]


@dataclass(frozen=True)
class _Target:
    """A published port of a service (`port` is the container's), or its health (`port` 0)."""

    service: str
    port: int

    def __str__(self) -> str:
        return f"{self.service}:{self.port}/tcp" if self.port else f"{self.service} (health)"


@dataclass
class _Record:
    """When a target changed between answering and not; `up` from the beginning."""

    changes: list[tuple[float, bool]]
    seen: float


class DowntimeProbe:
    """Measures while it is entered: `with DowntimeProbe(...) as probe: ...; probe.result()`.

    Begin before the first container is touched. Measured are the published TCP ports that answer
    at that time (HTTP where the port speaks it: a status below 500); where the project has none,
    its health checks. A port on another host number after a recreation is found again.
    """

    def __init__(self, containers: Containers, project: str, names: tuple[str, ...] = ()) -> None:
        self._containers = containers
        self._project = project
        self._names = names
        self._stop = Event()
        self._threads: list[Thread] = []
        self._records: dict[_Target, _Record] = {}

    def __enter__(self) -> DowntimeProbe:
        now = monotonic()
        for target, answers in self._targets():
            record = _Record([(now, True)], now)
            self._records[target] = record
            thread = Thread(target=self._probe, args=(answers, record), daemon=True)
            self._threads.append(thread)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=2 * _PROBE_TIMEOUT)

    def result(self) -> Downtime:
        """What was measured up to now."""
        names = tuple(sorted(str(target) for target in self._records))
        spans = [span for record in self._records.values() for span in _down_spans(record)]
        return Downtime(round(_union(spans), 2) if names else None, names)

    def _targets(self) -> list[tuple[_Target, Callable[[], bool]]]:
        listed = self._list()
        ports: list[tuple[_Target, Callable[[], bool]]] = []
        for container in listed:
            for port in {port.container_port for port in container.ports if port.protocol == "tcp"}:
                target = _Target(_identity(container), port)
                if addresses := _addresses(listed, target):
                    found = _speaks(addresses)
                    if found is not None:
                        ports.append((target, _PortProbe(self._list, target, *found)))
        if ports:
            return ports
        return [
            (target, _HealthProbe(self._list, target))
            for container in listed
            if container.health == "healthy"
            for target in [_Target(_identity(container), 0)]
        ]

    def _list(self) -> list[Container]:
        return self._containers.of_project(self._project, self._names)

    def _probe(self, answers: Callable[[], bool], record: _Record) -> None:
        while not self._stop.is_set():
            begun = monotonic()
            up = answers()
            if up != record.changes[-1][1]:
                # Between this probe and the one before: half way is the best guess.
                record.changes.append(((record.seen + begun) / 2, up))
            record.seen = begun
            self._stop.wait(max(0.0, INTERVAL - (monotonic() - begun)))


class _PortProbe:
    """Asks one published port, by the address that answered first."""

    def __init__(
        self, listed: Callable[[], list[Container]], target: _Target,
        address: tuple[str, int], http: bool,
    ) -> None:  # fmt: skip
        self._listed = listed
        self._target = target
        self._address = address
        self._http = http

    def __call__(self) -> bool:
        if _answers(self._address, self._http) == (True, self._http):
            return True
        try:
            addresses = _addresses(self._listed(), self._target)
        except ScarError:
            return False  # no Engine: not measurable by another number just now
        moved = [found for found in addresses if found[1] != self._address[1]]
        for address in moved:
            if _answers(address, self._http) == (True, self._http):
                self._address = address
                return True
        return False


class _HealthProbe:
    """Asks the Engine for the last verdict of a health check."""

    def __init__(self, listed: Callable[[], list[Container]], target: _Target) -> None:
        self._listed = listed
        self._target = target

    def __call__(self) -> bool:
        try:
            mine = [found for found in self._listed() if _identity(found) == self._target.service]
        except ScarError:
            return False
        return any(found.health == "healthy" and found.state == "running" for found in mine)


def _identity(container: Container) -> str:
    """What stays the same when a container is recreated; a replica counts with its siblings."""
    return container.service or container.name


def _addresses(listed: list[Container], target: _Target) -> list[tuple[str, int]]:
    """Where the host shows a service's port. From inside a container the host is the gateway."""
    found: list[tuple[str, int]] = []
    for container in listed:
        if _identity(container) == target.service and container.state == "running":
            for port in container.ports:
                if port.container_port == target.port and port.protocol == "tcp":
                    anywhere = port.host_ip in ("", "0.0.0.0", "::")
                    hosts = ["127.0.0.1", *_gateway()] if anywhere else [port.host_ip]
                    found += [(host, port.host_port) for host in hosts]
    return found


def _gateway() -> list[str]:
    try:
        routes = Path("/proc/net/route").read_text("ascii").splitlines()[1:]
    except OSError:
        return []
    fields = [line.split() for line in routes]
    raw = [entry[2] for entry in fields if len(entry) > 2 and entry[1] == "00000000"]
    return [socket.inet_ntoa(bytes.fromhex(entry)[::-1]) for entry in raw]


def _speaks(addresses: list[tuple[str, int]]) -> tuple[tuple[str, int], bool] | None:
    """The first address that answers, and whether with HTTP; None where none does."""
    for address in addresses:
        for http in (True, False):
            if _answers(address, http) == (True, http):
                return address, http
    return None


def _answers(address: tuple[str, int], http: bool) -> tuple[bool, bool]:
    """Whether there is an answer, and whether it is HTTP. The Engine's proxy takes connections
    for a port that nobody listens on and closes them: that is no answer.
    """
    try:
        with socket.create_connection(address, timeout=_PROBE_TIMEOUT) as connection:
            if http:
                host = address[0].encode()
                connection.sendall(b"GET / HTTP/1.0\r\nHost: " + host + b"\r\n\r\n")
            else:
                connection.settimeout(_SILENCE)
            said = connection.recv(64)
    except TimeoutError:
        return not http, False
    except OSError as failure:
        # Too many open files here says nothing of the other side.
        if failure.errno in (errno.EMFILE, errno.ENFILE):
            return True, http
        return False, False
    if said.startswith(b"HTTP/"):
        return said[9:10] != b"5", True
    return bool(said), False


def _down_spans(record: _Record) -> list[tuple[float, float]]:
    ends = [moment for moment, _ in record.changes[1:]] + [record.seen]
    return [
        (moment, end)
        for (moment, up), end in zip(record.changes, ends, strict=True)
        if not up and end > moment
    ]


def _union(spans: list[tuple[float, float]]) -> float:
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
