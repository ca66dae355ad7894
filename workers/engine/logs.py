"""Log lines of a container: the last ones, or as they come."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, Full, Queue
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

from docker.errors import DockerException, NotFound
from docker.types import CancellableStream
from urllib3.exceptions import HTTPError

from scar.errors import container_not_found
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.text import LINE_BYTES, decode

CAP_BYTES = 8 * 1024 * 1024
"""At most this much log is kept in memory for one answer; the oldest lines go first."""

_PIECE = 16384  # The Engine stores a longer line in pieces, each with the line's timestamp.
_TAIL_TRIES = 8
_CHUNK = 65536
_LINE_COST = 64


@dataclass(frozen=True)
class LogLine:
    """One line. `at` is RFC 3339 in UTC with nine digits, so that it sorts as text."""

    at: str
    stream: str
    text: str

    @property
    def time(self) -> datetime:
        """`at`, to the microsecond."""
        return datetime.fromisoformat(self.at[:26] + "+00:00")


@dataclass(frozen=True)
class Tail:
    """The last lines, oldest first. `cut` lines were asked for and left out, being too large."""

    lines: tuple[LogLine, ...]
    cut: int = 0


class Logs:
    """Reads the logs of containers of one Engine."""

    def __init__(self, engine: Engine, containers: Containers) -> None:
        self._engine = engine
        self._containers = containers

    def tail(self, container_id: str, lines: int, *, cap_bytes: int = CAP_BYTES) -> Tail:
        """The last `lines` (a positive number) of both streams, in the order of their time."""
        if lines < 1:
            raise ValueError(f"lines must be positive, not {lines}")
        tty = self._containers.inspect(container_id).tty
        # The Engine counts a long line once for each piece: where lines are missing, ask for more.
        # One more than wanted shows whether the first one is whole.
        asked = lines + 1
        for _ in range(_TAIL_TRIES):
            kept, total, pieces = self._read_tail(container_id, asked, tty, lines, cap_bytes)
            left_out = min(total, lines) - len(kept)
            if total > lines or pieces < asked or left_out:
                break
            asked *= 4
        return Tail(tuple(sorted(kept, key=lambda line: line.at)), left_out)

    def follow(self, name: str, *, check: Callable[[], None], since: str = "") -> Iterator[LogLine]:
        """Lines of the container called `name` as they are written, after the moment `since`
        (an `at`; from now on where empty), across restarts and recreation.

        `check` is called at least five times a second; what it raises ends it. So does closing
        the generator. A line that was yielded is not yielded again.
        """
        last, seen = since, set[str]()
        tail: int | str = "all" if since else 0
        found = self._known(name)
        while True:
            for line in self._follow_once(found, last, tail, check):
                if line.at < last or (line.at == last and line.text in seen):
                    continue
                if line.at > last:
                    last, seen = line.at, set()
                seen.add(line.text)
                yield line
            tail = "all" if last else 0
            check()
            found = self._await_running(name, check)

    def _known(self, name: str) -> str:
        known = self._containers.all()
        for container in known:
            if container.name == name:
                return container.id
        raise container_not_found(name, [container.name for container in known])

    def _await_running(self, name: str, check: Callable[[], None]) -> str:
        """The id once it runs: it may have ended, or be about to be made anew."""
        while True:
            _pause(0.5, check)
            for container in self._containers.all():
                if container.name == name and container.state in ("running", "paused"):
                    return container.id

    def _follow_once(
        self, container_id: str, since: str, tail: int | str, check: Callable[[], None]
    ) -> Iterator[LogLine]:
        params: dict[str, Any] = {"follow": 1, "tail": tail}
        if since:
            params["since"] = _engine_time(since)
        try:
            tty = self._containers.inspect(container_id).tty
            response = self._open(container_id, params, read_timeout=None)
        except NotFound:
            return
        reader = _Reader(response, tty)
        try:
            while (line := reader.next(check)) is not None:
                yield line
        finally:
            reader.close()

    def _read_tail(
        self, container_id: str, asked: int, tty: bool, lines: int, cap_bytes: int
    ) -> tuple[list[LogLine], int, int]:
        """The last `lines` as far as the cap allows, how many lines there were, and in how many
        stored pieces the Engine sent them.
        """
        kept: deque[LogLine] = deque()
        size = total = 0
        assembler = _assembler(tty)
        with self._open(container_id, {"tail": asked}, read_timeout=self._engine.timeout) as found:
            for line in assembler.lines(_chunks(found)):
                kept.append(line)
                total += 1
                size += len(line.text) + _LINE_COST
                while len(kept) > lines or (size > cap_bytes and len(kept) > 1):
                    size -= len(kept.popleft().text) + _LINE_COST
        return list(kept), total, assembler.pieces

    def _open(self, container_id: str, params: dict[str, Any], read_timeout: float | None) -> Any:
        both = {"stdout": 1, "stderr": 1, "timestamps": 1, **params}
        path = f"/containers/{container_id}/logs"
        return self._engine.stream(path, both, read_timeout=read_timeout)


class _Reader:
    """Reads a followed log in a thread, so that the one who waits can be called off."""

    def __init__(self, response: Any, tty: bool) -> None:
        self._response = response
        self._queue: Queue[LogLine | None] = Queue(maxsize=1000)
        self._closed = Event()
        self._thread = Thread(target=self._read, args=(tty,), name="follow-log", daemon=True)
        self._thread.start()

    def next(self, check: Callable[[], None]) -> LogLine | None:
        """The next line, or None at the stream's end."""
        while True:
            check()
            with suppress(Empty):
                return self._queue.get(timeout=0.2)

    def close(self) -> None:
        """Ends the connection and with it the thread."""
        self._closed.set()
        with suppress(OSError, DockerException, AttributeError):
            # AttributeError: the stream had ended and docker-py finds no socket to shut down.
            CancellableStream(iter(()), self._response).close()
        self._thread.join(timeout=2)
        self._response.close()

    def _read(self, tty: bool) -> None:
        # A connection that breaks ends the stream; the one who follows looks again.
        with suppress(OSError, HTTPError, ValueError):
            for line in _assembler(tty).lines(_chunks(self._response)):
                if not self._put(line):
                    return
        self._put(None)

    def _put(self, line: LogLine | None) -> bool:
        while not self._closed.is_set():
            with suppress(Full):
                self._queue.put(line, timeout=0.2)
                return True
        return False


class _Lines:
    """Puts the pieces of one stream's lines together again, holding a bounded part of a line."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._stamp = b""
        self._held = bytearray()
        self._cut = 0

    def piece(self, message: bytes) -> Iterator[LogLine]:
        """What a stored message (timestamp, text, perhaps a line break) completes."""
        stamp, _, text = message.partition(b" ")
        if self._stamp and stamp != self._stamp:
            yield self._take()
        self._stamp = stamp
        room = LINE_BYTES - len(self._held)
        self._held += text[:room]
        self._cut += max(0, len(text) - room)
        if text.endswith(b"\n"):
            yield self._take()

    def end(self) -> Iterator[LogLine]:
        """A last line that had no line break."""
        if self._stamp:
            yield self._take()

    def _take(self) -> LogLine:
        text = decode(bytes(self._held))
        if self._cut:
            text += f" [... {self._cut} bytes of this line cut]"
        line = LogLine(self._stamp.decode("ascii", "replace"), self._stream, text)
        self._stamp, self._cut = b"", 0
        self._held.clear()
        return line


class _Multiplexed:
    """A log of two streams: frames of 8 bytes header (stream, length) and one stored message."""

    def __init__(self) -> None:
        self.pieces = 0
        self._streams = {number: _Lines(name) for number, name in ((1, "stdout"), (2, "stderr"))}

    def lines(self, chunks: Iterator[bytes]) -> Iterator[LogLine]:
        """Lines in the order of their ends."""
        held = bytearray()
        for chunk in chunks:
            held += chunk
            start = 0
            while len(held) >= start + 8:
                number, length = struct.unpack_from(">BxxxL", held, start)
                if len(held) < start + 8 + length:
                    break
                message = bytes(held[start + 8 : start + 8 + length])
                start += 8 + length
                self.pieces += 1
                yield from self._streams.get(number, self._streams[1]).piece(message)
            del held[:start]
        for stream in self._streams.values():
            yield from stream.end()


class _Terminal:
    """A log of a container with a terminal: stored messages one after the other, no frames."""

    def __init__(self) -> None:
        self.pieces = 0
        self._lines = _Lines("stdout")

    def lines(self, chunks: Iterator[bytes]) -> Iterator[LogLine]:
        """Lines as they end; a message ends at a line break, or where a full piece is followed
        by the same timestamp.
        """
        held = b""
        for chunk in chunks:
            held += chunk
            while (end := _message_end(held)) > 0:
                self.pieces += 1
                yield from self._lines.piece(held[:end])
                held = held[end:]
        if held:
            self.pieces += 1
            yield from self._lines.piece(held)
        yield from self._lines.end()


def _message_end(held: bytes) -> int:
    """Where the first stored message of a terminal's log ends; 0 while that cannot be told."""
    text = held.find(b" ") + 1
    line_break = held.find(b"\n") + 1
    full = text + _PIECE
    if text and (not line_break or line_break > full) and len(held) >= full + text:
        return full if held[full : full + text] == held[:text] else line_break or full
    return line_break if line_break <= full or len(held) >= full + text else 0


def _assembler(tty: bool) -> _Multiplexed | _Terminal:
    return _Terminal() if tty else _Multiplexed()


def _chunks(response: Any) -> Iterator[bytes]:
    while chunk := response.raw.read1(_CHUNK):
        yield chunk


def _engine_time(at: str) -> str:
    """An `at` as the Engine takes it: seconds since 1970, a point, nanoseconds."""
    seconds = int(datetime.fromisoformat(at[:19] + "+00:00").timestamp())
    return f"{seconds}.{at[20:29]}"


def _pause(seconds: float, check: Callable[[], None]) -> None:
    end = monotonic() + seconds
    while monotonic() < end:
        check()
        sleep(0.1)
