"""Holds new connections of ports until what listens there has been replaced, and answers."""

from __future__ import annotations

import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from workers.diversion.hold import GAVE_UP, HELD, HeldPort, Hold
from workers.diversion.hold_rules import MARK
from workers.diversion.packet_queue import PacketQueue

_SO_MARK = 36
_CONNECT_SECONDS = 0.5
_HTTP_SECONDS = 0.5
_SILENCE_SECONDS = 0.1
"""The Engine's proxy accepts connections for a port on which nothing listens yet, and closes them
at once. One that is open for this long has been accepted by the container.
"""

_LOOK_SECONDS = 0.01
_HUNG_SECONDS = 7
_REQUEST = b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"
_LISTENING = "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


class PortListener:
    """What listens on a held port, as it is seen with connections that are not held."""

    def __init__(self, port: HeldPort) -> None:
        self._address = (port.host_ip or "127.0.0.1", port.port)
        self._http = self._reply(_REQUEST, _HTTP_SECONDS).startswith(b"HTTP/")
        self._before = listening(port.port)
        self._replaced = False
        self.answered = self._http or self._accepts()

    def is_new(self) -> bool:
        """Return whether another one listens now, and answers.

        The Engine opens the port anew for each container, which shows in the number of the socket,
        so that the time between cannot be missed.
        """
        now = listening(self._address[1])
        self._replaced = self._replaced or now != self._before
        if now or not self._replaced:
            answers = self._accepts()
            self._replaced = self._replaced or not answers
            return self._replaced and answers
        return False

    def _accepts(self) -> bool:
        if self._http:
            return bool(self._reply(_REQUEST, _HTTP_SECONDS))
        return bool(self._reply(b"", _SILENCE_SECONDS))

    def _reply(self, request: bytes, seconds: float) -> bytes:
        """Return what is answered; one byte where the connection stays open without an answer,
        none where it is refused or closed.
        """
        with socket.socket() as connection:
            connection.settimeout(_CONNECT_SECONDS)
            try:
                connection.setsockopt(socket.SOL_SOCKET, _SO_MARK, MARK)
                connection.connect(self._address)
                connection.sendall(request)
            except OSError:
                return b""
            connection.settimeout(seconds)
            try:
                return connection.recv(64)
            except TimeoutError:
                return b"\0"
            except OSError:
                return b""


def listening(port: int) -> frozenset[str]:
    """Return the numbers (inodes) of the sockets that listen on a port of this host (proc(5))."""
    sockets: set[str] = set()
    for table in _TABLES:
        with suppress(OSError), table.open(encoding="ascii") as lines:
            next(lines)
            for line in lines:
                fields = line.split()
                if fields[3] != _LISTENING:
                    break  # the kernel lists those that listen first
                if int(fields[1].rpartition(":")[2], 16) == port:
                    sockets.add(fields[9])
    return frozenset(sockets)


def hold(work: Hold, begun: Callable[[], None]) -> str:
    """Hold, call `begun`, and let go; return how it ended, and after how many seconds.

    `SystemExit`, as of SIGTERM, ends it early: what waits is let go. Should this program hang, the
    kernel kills it (alarm(2)), and with it the rules.
    """
    signal.alarm(int(work.seconds) + _HUNG_SECONDS)
    listeners = [PortListener(port) for port in work.held]
    awaited = [listener for listener in listeners if listener.answered] or listeners
    queue = PacketQueue(work.table, work.held)
    since = time.monotonic()
    ended = GAVE_UP
    try:
        begun()
        if _until_new(awaited, queue, since + work.seconds):
            ended = HELD
    except SystemExit:
        pass
    finally:
        seconds = time.monotonic() - since
        queue.release()
        time.sleep(_LOOK_SECONDS)
        queue.close()
    return f"{ended} {seconds:.2f}"


def _until_new(awaited: Sequence[PortListener], queue: PacketQueue, deadline: float) -> bool:
    while time.monotonic() < deadline:
        if all(listener.is_new() for listener in awaited):
            return True
        select.select([queue], [], [], _LOOK_SECONDS)
        queue.read()
        time.sleep(_LOOK_SECONDS)
    return False


def try_to_hold(table: str) -> None:
    """Hold a port that nobody has, and let go; raise `Unable` where this host cannot."""
    queue = PacketQueue(table, (HeldPort(0),))
    queue.release()
    queue.close()
