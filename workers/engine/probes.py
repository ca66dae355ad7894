"""Checks from outside the containers whether a project's services respond."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scar.errors import ScarError
from workers.engine.container import Container

PROBE_SECONDS = 1.0
"""Seconds that a probe waits for a response."""

_SILENCE_SECONDS = 0.05
"""A port that accepts a connection and keeps it open for this many seconds counts as responding,
even if it sends nothing.
"""

ListContainers = Callable[[], list[Container]]
Address = tuple[str, int]


@dataclass(frozen=True)
class Target:
    """What is probed: a published port of a service (`port` is the container's port), or a
    health check (`port` is 0).
    """

    service: str
    port: int

    def __str__(self) -> str:
        return f"{self.service}:{self.port}/tcp" if self.port else f"{self.service} (health)"


class PortProbe:
    """Probes a published port with the address and protocol to which it first responded."""

    def __init__(
        self,
        list_containers: ListContainers,
        target: Target,
        address: Address,
        *,
        http: bool,
        seconds: float,
    ) -> None:
        self._seconds = seconds
        self._list_containers = list_containers
        self._target = target
        self._address = address
        self._http = http

    @classmethod
    def of(
        cls,
        list_containers: ListContainers,
        target: Target,
        containers: list[Container],
        seconds: float = PROBE_SECONDS,
    ) -> PortProbe | None:
        """Return a probe for a port of `containers`, which waits up to `seconds`; None if the port
        does not respond at present.
        """
        for address in published_addresses(containers, target):
            for http in (True, False):
                if _answers(address, http=http):
                    return cls(list_containers, target, address, http=http, seconds=seconds)
        return None

    def __call__(self) -> bool:
        """Return whether the port responds. A recreated container may have another host port,
        which is looked up.
        """
        if _answers(self._address, http=self._http, seconds=self._seconds):
            return True
        try:
            addresses = published_addresses(self._list_containers(), self._target)
        except ScarError:
            return False  # without the Engine, the new host port cannot be looked up
        for address in addresses:
            if address[1] != self._address[1] and _answers(address, http=self._http):
                self._address = address
                return True
        return False


class HealthProbe:
    """Probes by the last result of a health check, as the Engine reports it."""

    def __init__(self, list_containers: ListContainers, target: Target) -> None:
        self._list_containers = list_containers
        self._target = target

    def __call__(self) -> bool:
        """Return whether a container of the service is running and healthy."""
        try:
            containers = self._list_containers()
        except ScarError:
            return False
        return any(
            container.health == "healthy" and container.state == "running"
            for container in containers
            if identity(container) == self._target.service
        )


def speaks_http(container: Container) -> bool:
    """Return whether a published port of a container answers HTTP, with a status below 500."""
    ports = {port.container_port for port in container.ports if port.protocol == "tcp"}
    return any(
        _answers(address, http=True)
        for port in ports
        for address in published_addresses([container], Target(identity(container), port))
    )


def identity(container: Container) -> str:
    """Return a key that stays the same when a container is recreated; replicas of a service
    share the key.
    """
    return container.service or container.name


def published_addresses(containers: list[Container], target: Target) -> list[Address]:
    """Return the addresses at which a service's port is published. If SCAR runs in a container,
    the host is the gateway.
    """
    addresses: list[Address] = []
    for container in containers:
        if identity(container) == target.service and container.state == "running":
            for port in container.ports:
                if port.container_port == target.port and port.protocol == "tcp":
                    anywhere = port.host_ip in ("", "0.0.0.0", "::")
                    hosts = ["127.0.0.1", *_gateway()] if anywhere else [port.host_ip]
                    addresses += [(host, port.host_port) for host in hosts]
    return addresses


def _gateway() -> list[str]:
    try:
        routes = Path("/proc/net/route").read_text("ascii").splitlines()[1:]
    except OSError:
        return []
    fields = [line.split() for line in routes]
    raw = [entry[2] for entry in fields if len(entry) > 2 and entry[1] == "00000000"]
    return [socket.inet_ntoa(bytes.fromhex(entry)[::-1]) for entry in raw]


def _answers(address: Address, *, http: bool, seconds: float = PROBE_SECONDS) -> bool:
    """Return whether the port responds: with HTTP, by a status below 500; otherwise, by keeping the
    connection open.

    For a port on which nothing listens, the Engine's proxy accepts connections and closes them at
    once, which is no response.
    """
    try:
        with socket.create_connection(address, timeout=seconds) as connection:
            if http:
                host = address[0].encode()
                connection.sendall(b"GET / HTTP/1.0\r\nHost: " + host + b"\r\n\r\n")
            else:
                connection.settimeout(_SILENCE_SECONDS)
            reply = connection.recv(64)
    except TimeoutError:
        return not http
    except OSError as failure:
        # If this process has too many open files, nothing is known about the target.
        return failure.errno in (errno.EMFILE, errno.ENFILE)
    if reply.startswith(b"HTTP/"):
        return http and reply[9:10] != b"5"
    return bool(reply) and not http
