"""Reads until when the certificates are valid that a project's published ports serve."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509

from workers.engine.container import Container, Port
from workers.engine.probes import Target, identity, published_addresses

_TLS_PORTS = frozenset((443, 8443, 9443))
"""Ports that are always asked, if they have such a number inside or outside."""

_SECONDS = 3.0
_MOST = 100
"""So many ports of a host are asked in one round."""

_MOST_REFUSALS = 3
_MOST_SILENT = 3
"""After so many rounds in a row without an answer, a port counts as one that serves none."""

_CONTAINER = Path("/.dockerenv")
"""The Engine puts this file into each container. Outside of one, the gateway is another machine."""

_Asked = tuple[str, int]


class NotTlsError(Exception):
    """What listens there speaks something else than TLS."""


class NoAnswerError(Exception):
    """What listens there has not answered: it is busy, restarts, or waits for another greeting."""


@dataclass
class Served:
    """The certificates of a container: published ports, and when what they serve ends. It is not
    `whole` if a port that may serve one could not be asked.
    """

    ends: list[tuple[int, datetime]] = field(default_factory=list)
    whole: bool = True


@dataclass
class _PortState:
    """What is known of a port: when the certificate ends that it served last, and how often in a
    row it has refused a greeting since, or not answered.
    """

    end: datetime | None = None
    refusals: int = 0
    silent: int = 0

    def ask(self, container: Container, port: Port) -> None:
        """Ask the port once more. One that does not answer counts with what it served last."""
        try:
            end = _first_end(container, port)
        except NotTlsError:
            self.end, self.refusals, self.silent = None, self.refusals + 1, _MOST_SILENT
            return
        except NoAnswerError:
            self.refusals += 1
            end = None
        if end is not None:
            self.end, self.refusals, self.silent = end, 0, 0
            return
        self.silent += 1
        if self.silent >= _MOST_SILENT:
            self.end = None


class ServedCertificates:
    """Asks every published TCP port of the containers. One that has served no certificate, three
    times in a row, is not asked again while the container lives: a server may log each such
    greeting as an error.
    """

    def __init__(self) -> None:
        self._ports: dict[_Asked, _PortState] = {}

    def ask(self, containers: Collection[Container]) -> Mapping[str, Served]:
        """Return what these containers serve, by their id; forget all others."""
        served = {container.id: Served() for container in containers}
        self._ports = {asked: row for asked, row in self._ports.items() if asked[0] in served}
        left = _MOST
        for asked, (container, port) in self._in_order(containers).items():
            state = self._ports.setdefault(asked, _PortState())
            if left and (self._is_likely(container, port) or state.refusals < _MOST_REFUSALS):
                left -= 1
                state.ask(container, port)
            if state.end is not None:
                served[container.id].ends.append((port.host_port, state.end))
            elif state.silent < _MOST_SILENT:
                served[container.id].whole = False
        return served

    def _in_order(
        self, containers: Collection[Container]
    ) -> Mapping[_Asked, tuple[Container, Port]]:
        """Return the ports, once each; first those that are likely to serve a certificate."""
        rows = [(c, port) for c in containers if c.is_up for port in c.ports]
        ports: dict[_Asked, tuple[Container, Port]] = {}
        for container, port in sorted(rows, key=lambda row: not self._is_likely(*row)):
            if port.protocol == "tcp":
                ports.setdefault((container.id, port.container_port), (container, port))
        return ports

    def _is_likely(self, container: Container, port: Port) -> bool:
        state = self._ports.get((container.id, port.container_port))
        has_served = state is not None and state.end is not None
        return has_served or not _TLS_PORTS.isdisjoint((port.container_port, port.host_port))


def _first_end(container: Container, port: Port) -> datetime | None:
    """Return the end of the certificate at the first of a port's addresses that serves one."""
    target = Target(identity(container), port.container_port)
    failure: NotTlsError | NoAnswerError | None = None
    for address in published_addresses([container], target):
        try:
            end = certificate_end(address)
        except (NotTlsError, NoAnswerError) as error:
            failure = error
            if not _CONTAINER.exists():
                break
        else:
            if end is not None:
                return end
    if failure is not None:
        raise failure
    return None


def certificate_end(address: tuple[str, int]) -> datetime | None:
    """Return until when the certificate served at an address is valid, None where nobody listens.

    It is not verified: one that is wrong in another way is still to be renewed in time. Raises
    `NotTlsError` and `NoAnswerError`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        connection = socket.create_connection(address, timeout=_SECONDS)
    except OSError:
        return None
    try:
        with connection, context.wrap_socket(connection) as secured:
            der = secured.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(der).not_valid_after_utc if der else None
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        raise NoAnswerError(str(error)) from error
    except (ssl.SSLError, ValueError) as error:
        raise NotTlsError(str(error)) from error
    except OSError as error:  # a timeout, or the connection was reset
        raise NoAnswerError(str(error)) from error
