"""The followed logs that this host shares: one stream of the Engine for all who follow a container.

The worker process that watches the host has the streams (`log_relay.py`), and a socket in the state
folder, where only SCAR's own user may come in. Whoever follows a log asks there in a line of JSON,
gets one as the answer, and then the log's bytes as the Engine sends them. It can do without: where
nobody answers, or the connection ends, each reads from the Engine.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

_ANSWER_SECONDS = 10.0
"""How long the relay may take to begin a stream; after that the Engine is asked."""

_CHECK_SECONDS = 0.2

_CHUNK_BYTES = 65536
_LONGEST_LINE = 4096


@dataclass(frozen=True)
class SharedLog:
    """A stream that others may read too. It has the log from the first line on that is not before
    `since`, and may begin earlier.
    """

    since: str
    _connection: socket.socket

    def read(self, seconds: float) -> bytes | None:
        """Return the next bytes; none at the end, None where nothing came in so many seconds."""
        self._connection.settimeout(seconds)
        try:
            return self._connection.recv(_CHUNK_BYTES)
        except TimeoutError:
            return None
        except OSError:
            return b""

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def relay_socket(state_dir: Path) -> Path:
    """Return the path of the socket on which this host shares its followed logs."""
    return state_dir / "watch" / "logs"


class SharedLogs:
    """Opens shared logs. `path` is the relay's socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(
        self, container_id: str, since: str, check: Callable[[], None] = lambda: None
    ) -> SharedLog | None:
        """Return the shared log of a container, begun at `since` where nobody follows it yet; None
        where it cannot be had. `check` is called while the relay is waited for.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_CHECK_SECONDS)
        try:
            with socket_address(self._path) as address:
                connection.connect(address)
            send_line(connection, {"container": container_id, "since": since})
            _await_answer(connection, check)
            answer = read_line(connection)
            return SharedLog(answer["since"], connection)
        except (OSError, ValueError, LookupError):
            connection.close()
            return None
        except BaseException:
            connection.close()
            raise


def _await_answer(connection: socket.socket, check: Callable[[], None]) -> None:
    """Wait for the first byte of an answer; raises `TimeoutError`, which is an `OSError`."""
    deadline = monotonic() + _ANSWER_SECONDS
    while True:
        check()
        try:
            connection.recv(1, socket.MSG_PEEK)
            return
        except TimeoutError:
            if monotonic() > deadline:
                raise


def send_line(connection: socket.socket, content: dict[str, str]) -> None:
    """Send a line of JSON."""
    connection.sendall(json.dumps(content).encode() + b"\n")


def read_line(connection: socket.socket) -> dict[str, str]:
    """Read a line of JSON, and nothing that follows it. Raises `ValueError` where it is none."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte or len(line) > _LONGEST_LINE:
            raise ValueError("that is no line")
        line += byte
    content = json.loads(line)
    if not isinstance(content, dict):
        raise ValueError("that is no object")
    return content


def shut_down(connection: socket.socket) -> None:
    """Shut a connection down, which ends what another thread reads or writes there."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side has closed it


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """Provide an address of a socket whose own path may be longer than the 107 bytes that the
    kernel takes (unix(7)).
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
