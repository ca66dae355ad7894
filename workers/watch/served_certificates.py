"""Reads until when the certificates are valid that a project's published ports serve."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Collection, Iterator
from datetime import datetime

from cryptography import x509

from workers.engine.container import Container, Port
from workers.engine.probes import Target, identity, published_addresses

_TLS_PORTS = frozenset((443, 8443, 9443))
"""A port with such a number, inside or outside, is asked however often it has spoken no TLS."""

_SECONDS = 3.0
_MOST = 100
"""So many ports of a host are asked in one round."""

_MOST_REFUSALS = 3

_Asked = tuple[str, int]


class NotTlsError(Exception):
    """What listens there does not speak TLS, or waits for another greeting."""


class ServedCertificates:
    """Asks every published TCP port of a container. One that has spoken no TLS three times is not
    asked again while the container lives: a server may log each such greeting as an error.
    """

    def __init__(self) -> None:
        self._refusals: dict[_Asked, int] = {}
        self._left = _MOST

    def begin_round(self, containers: Collection[Container]) -> None:
        """Forget the containers that are not among these."""
        ids = {container.id for container in containers}
        self._refusals = {asked: n for asked, n in self._refusals.items() if asked[0] in ids}
        self._left = _MOST

    def of(self, container: Container) -> Iterator[tuple[int, datetime]]:
        """Yield each published port that serves a certificate, and when that ends."""
        for port in container.ports:
            asked = container.id, port.container_port
            is_known = not _TLS_PORTS.isdisjoint((port.container_port, port.host_port))
            refusals = 0 if is_known else self._refusals.get(asked, 0)
            if port.protocol != "tcp" or refusals >= _MOST_REFUSALS or self._left <= 0:
                continue
            self._left -= 1
            try:
                end = _first_end(container, port)
            except NotTlsError:
                self._refusals[asked] = refusals + 1
                continue
            if end is not None:
                yield port.host_port, end


def _first_end(container: Container, port: Port) -> datetime | None:
    target = Target(identity(container), port.container_port)
    for address in published_addresses([container], target):
        if (end := certificate_end(address)) is not None:
            return end
    return None


def certificate_end(address: tuple[str, int]) -> datetime | None:
    """Return until when the certificate served at an address is valid, None where nobody listens.

    It is not verified: one that is wrong in another way is still to be renewed in time. Raises
    `NotTlsError`.
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
    except (OSError, ValueError) as error:  # ssl.SSLError and a timeout are of the first
        raise NotTlsError(str(error)) from error
