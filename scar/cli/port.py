"""Checks that the API's port is free."""

from __future__ import annotations

import errno
import socket
import time

from scar.settings import Settings, SettingsError

_AGAIN_SECONDS = 0.2


def require_free_port(settings: Settings, *, patience: float = 0.0) -> None:
    """Raise `SettingsError` if the API cannot listen at `SCAR_API_BIND`.

    A port in use is tried again for `patience` seconds. gunicorn itself would retry and then exit
    with a code that does not name the cause.
    """
    deadline = time.monotonic() + patience
    while problem := _problem(settings.api_bind):
        number, words = problem
        if number != errno.EADDRINUSE or time.monotonic() > deadline:
            raise SettingsError([f"SCAR_API_BIND: {settings.api_bind}: {words}"])
        time.sleep(_AGAIN_SECONDS)


def _problem(address: str) -> tuple[int | None, str] | None:
    """Return why an address cannot be bound, as an error number and a message."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        family = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, int(port)))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        words = "another program listens there already" if taken else error.strerror or str(error)
        return error.errno, words
    return None
