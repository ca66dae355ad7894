"""A log of a container that is read from the Engine once, for any number of followers."""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import timedelta

from workers.engine.byte_queue import ByteQueue
from workers.engine.log_position import shifted
from workers.engine.log_source import LogSource
from workers.engine.text import LINE_BYTES

KEPT_BYTES = 4 << 20
"""So much of a log is kept for those who come later."""

_WAITING_BYTES = 1 << 20
_STUCK_SECONDS = 5.0
_SEND_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_TIME_LETTERS = 30
_HEADER = struct.Struct(">BxxxL")
_AFTER = timedelta(microseconds=1)


class LogFollower:
    """What one follower is yet to be sent. The slowest one sets the pace, as it would with a stream
    of its own; one that takes nothing for some seconds is left behind.
    """

    def __init__(self, kept: bytes) -> None:
        self.kept = kept
        self._queue = ByteQueue(_WAITING_BYTES)

    def put(self, chunk: bytes) -> None:
        """Add the next bytes, once there is room; end it where there is none."""
        if not self._queue.put(chunk, _STUCK_SECONDS):
            self._queue.end()

    def end(self) -> None:
        """Let `send_all` return after what was added."""
        self._queue.end()

    def send_all(self, connection: socket.socket) -> None:
        """Send everything until the log ends; raises `OSError` where the follower has gone."""
        connection.settimeout(_SEND_SECONDS)
        connection.sendall(self.kept)
        self.kept = b""
        while (chunk := self._queue.take(_LOOK_SECONDS)) != b"":
            if chunk is not None:
                connection.sendall(chunk)
            elif has_closed(connection):
                return


class RelayedLog:
    """Reads a source in a thread of its own, until it ends or the last follower has left.

    The newest bytes are kept, cut between two messages. `since` is the time from which on they are
    complete: who comes later than the first follower begins there.
    """

    def __init__(self, source: LogSource, since: str, *, tty: bool) -> None:
        self._source = source
        self._tty = tty
        self._since = since
        self._kept: deque[tuple[bytes, str]] = deque()
        self._size = 0
        self._followers: list[LogFollower] = []
        self._lock = threading.Lock()
        self.has_ended = False
        self._thread = threading.Thread(target=self._read, name="log-relay", daemon=True)

    @classmethod
    def begin(cls, source: LogSource, since: str, *, tty: bool) -> RelayedLog:
        """Begin to read a source, which has the log from `since` on."""
        log = cls(source, since, tty=tty)
        log._thread.start()
        return log

    def join(self) -> tuple[str, LogFollower]:
        """Return a follower, which begins with what is kept, and from when on that is complete."""
        with self._lock:
            follower = LogFollower(b"".join(chunk for chunk, _ in self._kept))
            if self.has_ended:
                follower.end()
            self._followers.append(follower)
            return self._since, follower

    def leave(self, follower: LogFollower) -> None:
        """Forget a follower; the last one ends the stream."""
        follower.end()
        with self._lock:
            self._followers.remove(follower)
            if self._followers:
                return
            self.has_ended = True

    def end(self) -> None:
        """End the stream, and with it those of all followers."""
        self.has_ended = True

    def _read(self) -> None:
        messages = terminal_messages if self._tty else multiplexed_messages
        for chunk, newest in messages(self._chunks()):
            for follower in self._keep(chunk, newest):
                follower.put(chunk)
        with self._lock:
            self.has_ended = True
            followers = list(self._followers)
        for follower in followers:
            follower.end()
        self._source.close()

    def _chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the source until it ends, or nobody needs it."""
        while not self.has_ended and (chunk := self._source.read(_LOOK_SECONDS)) != b"":
            if chunk is not None:
                yield chunk

    def _keep(self, chunk: bytes, newest: str) -> list[LogFollower]:
        """Keep bytes for those who come later; return those who follow now."""
        with self._lock:
            self._kept.append((chunk, newest))
            self._size += len(chunk)
            while self._size > KEPT_BYTES:
                dropped, at = self._kept.popleft()
                self._size -= len(dropped)
                if at:
                    self._since = max(self._since, shifted(at, _AFTER))
            return list(self._followers)


def multiplexed_messages(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, str]]:
    """Yield the bytes of whole messages of a container without a terminal, as they come, and the
    latest time of these.
    """
    rest = b""
    for chunk in chunks:
        buffer = rest + chunk
        start, newest = 0, b""
        while len(buffer) >= (body := start + _HEADER.size):
            _, length = _HEADER.unpack_from(buffer, start)
            if len(buffer) < body + length:
                break
            newest = max(newest, buffer[body : body + _TIME_LETTERS])
            start = body + length
        rest = buffer[start:]
        if start:
            yield buffer[:start], newest.decode("ascii", "replace")


def terminal_messages(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, str]]:
    """Yield the bytes of whole lines of a container with a terminal, and the latest time of these;
    a line that does not end is cut.
    """
    rest = b""
    for chunk in chunks:
        buffer = rest + chunk
        start = buffer.rfind(b"\n") + 1 or (len(buffer) if len(buffer) > LINE_BYTES else 0)
        rest = buffer[start:]
        if start:
            times = (line[:_TIME_LETTERS] for line in buffer[:start].splitlines())
            newest = max((at for at in times if at.endswith(b"Z")), default=b"")
            yield buffer[:start], newest.decode("ascii", "replace")
    if rest:
        yield rest, ""


def has_closed(connection: socket.socket) -> bool:
    """Return at once whether the other side has closed a connection, on which it sends nothing.

    `MSG_DONTWAIT` alone would not do: Python waits itself where a socket has a timeout.
    """
    before = connection.gettimeout()
    connection.settimeout(0)
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(before)
