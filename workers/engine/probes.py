"""Asks a project's services from outside whether they answer."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scar.errors import ScarError
from workers.engine.container import Container

PROBE_SECONDS = 1.0
"""Longest time that one probe waits for an answer."""

_SILENCE_SECONDS = 0.05
"""A port that accepts a connection and keeps it open this long answers, though it sends nothing."""

ListContainers = Callable[[], list[Container]]
Address = tuple[str, int]


@dataclass(frozen=True)
class Target:
    """A published port of a service (`port` is the container's), or its health (`port` 0)."""

    service: str
    port: int

    def __str__(self) -> str:
        return f"{self.service}:{self.port}/tcp" if self.port else f"{self.service} (health)"


class PortProbe:
    """Asks a published port, at the address and with the protocol that answered first."""

    def __init__(
        self, list_containers: ListContainers, target: Target, address: Address, *, http: bool
    ) -> None:
        self._list_containers = list_containers
        self._target = target
        self._address = address
        self._http = http

    @classmethod
    def of(
        cls, list_containers: ListContainers, target: Target, containers: list[Container]
    ) -> PortProbe | None:
        """Return a probe of a port of `containers`, None where the port does not answer now."""
        for address in _addresses(containers, target):
            for http in (True, False):
                if _answers(address, http=http):
                    return cls(list_containers, target, address, http=http)
        return None

    def __call__(self) -> bool:
        """Return whether the port answers; a recreated container may have another host port."""
        if _answers(self._address, http=self._http):
            return True
        try:
            addresses = _addresses(self._list_containers(), self._target)
        except ScarError:
            return False  # without the Engine a new host port cannot be looked up
        for address in addresses:
            if address[1] != self._address[1] and _answers(address, http=self._http):
                self._address = address
                return True
        return False


class HealthProbe:
    """Asks the Engine for the last result of a health check."""

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


def identity(container: Container) -> str:
    """Return what stays the same when a container is recreated; replicas share it."""
    return container.service or container.name


def _addresses(containers: list[Container], target: Target) -> list[Address]:
    """Return where a service's port is published; in a container, the host is the gateway."""
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


def _answers(address: Address, *, http: bool) -> bool:
    """Return whether a port answers in the given way: HTTP with a status below 500, or not HTTP.

    The Engine's proxy accepts connections for a port that nobody listens on and closes them: that
    is no answer.
    """
    try:
        with socket.create_connection(address, timeout=PROBE_SECONDS) as connection:
            if http:
                host = address[0].encode()
                connection.sendall(b"GET / HTTP/1.0\r\nHost: " + host + b"\r\n\r\n")
            else:
                connection.settimeout(_SILENCE_SECONDS)
            reply = connection.recv(64)
    except TimeoutError:
        return not http
    except OSError as failure:
        # Too many open files in this process says nothing about the other side.
        return failure.errno in (errno.EMFILE, errno.ENFILE)
    if reply.startswith(b"HTTP/"):
        return http and reply[9:10] != b"5"
    return bool(reply) and not http
