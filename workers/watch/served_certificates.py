"""Reads when the certificates on a project's published ports expire."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import datetime

from cryptography import x509

from workers.engine.container import Container
from workers.engine.probes import Target, published_addresses

_TLS_PORTS = frozenset((443, 8443, 9443))
"""A port is taken for one of TLS by its number, inside or outside: others would log an error."""

_SECONDS = 5.0


def served_certificates(container: Container) -> Iterator[tuple[int, datetime]]:
    """Yield each published port that serves TLS, and when its certificate expires."""
    for port in container.ports:
        numbers = {port.container_port, port.host_port}
        if port.protocol != "tcp" or not numbers & _TLS_PORTS:
            continue
        for address in published_addresses(
            [container], Target(container.service, port.container_port)
        ):
            end = certificate_end(address)
            if end is not None:
                yield port.host_port, end
                break


def certificate_end(address: tuple[str, int]) -> datetime | None:
    """Return when the certificate at an address expires; None if none is served. The certificate is
    not verified, since an invalid one must be renewed in time too.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(address, timeout=_SECONDS) as connection,
            context.wrap_socket(connection) as secured,
        ):
            der = secured.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(der).not_valid_after_utc if der else None
    except (OSError, ValueError):
        return None
