"""Reads containers' logs: the last lines, or new lines as they are written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, Full, Queue
from threading import Event, Thread
from time import monotonic, sleep

import requests
from docker.errors import DockerException, NotFound
from docker.types import CancellableStream
from urllib3.exceptions import HTTPError

from scar.errors import container_not_found
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.log_lines import LogLine, log_decoder
from workers.engine.log_position import FollowedLine, LogPosition, beyond

MEMORY_BYTES = 8 * 1024 * 1024
"""Maximum number of bytes of a log in memory for one call; beyond it, the oldest lines are
dropped.
"""

_TAIL_TRIES = 8
_CHUNK_BYTES = 65536
_LINE_OVERHEAD_BYTES = 64
_QUEUE_LINES = 1000


@dataclass(frozen=True)
class LastLines:
    """The last lines, oldest first. `cut` is how many older ones were dropped because of their
    size.
    """

    lines: tuple[LogLine, ...]
    cut: int = 0


class ContainerLogs:
    """Reads the logs of one Engine's containers."""

    def __init__(self, engine: Engine, containers: Containers) -> None:
        self._engine = engine
        self._containers = containers

    def tail(self, container_id: str, lines: int, *, memory_bytes: int = MEMORY_BYTES) -> LastLines:
        """Return the last `lines` (a positive number) lines of both streams, ordered by time."""
        if lines < 1:
            raise ValueError(f"lines must be positive, not {lines}")
        tty = self._containers.inspect(container_id).tty
        # The Engine counts each message of a long line as a line. If lines are missing, more
        # messages are requested. One more than needed shows whether the first line is complete.
        messages = lines + 1
        for _ in range(_TAIL_TRIES):
            tail = _TailBuffer(lines, memory_bytes)
            received = self._read_tail(container_id, messages, tty, tail)
            cut = min(tail.total, lines) - len(tail.lines)
            if tail.total > lines or received < messages or cut:
                break
            messages *= 4
        return LastLines(tuple(sorted(tail.lines, key=lambda line: line.at)), cut)

    def follow(self, name: str, *, check: Callable[[], None], since: str = "") -> Iterator[LogLine]:
        """Yield the lines of the container called `name` as they are written, from the time `since`
        (a line's `at`) on, or now.
        """
        begin = LogPosition(self.id_of(name), since or self.now())
        for followed in self.follow_from(name, begin, check=check):
            if followed.line is not None and followed.is_new:
                yield followed.line

    def follow_from(
        self, name: str, position: LogPosition, *, check: Callable[[], None]
    ) -> Iterator[FollowedLine]:
        """Yield the lines of the container called `name` as they are written, behind a position.

        They continue when the container is restarted or recreated, and when the Engine's connection
        breaks; no line is new twice, and none is left out that the Engine still has. Some lines
        before the position come first, which are not new. `check` is called at least five times a
        second; an exception of it ends the generator.
        """
        is_first = True
        while True:
            for followed in beyond(self._follow_once(position, check), position):
                position = followed.position
                if followed.is_new or is_first:
                    yield followed
            is_first = False
            check()
            container_id = self._await_running(name, check)
            if container_id != position.container:
                position = LogPosition(container_id)
                yield FollowedLine(None, position)

    def now(self) -> str:
        """Return the time of the Engine's clock, as a line's `at`."""
        with self._engine.api() as api:
            at = datetime.fromisoformat(api.info()["SystemTime"]).astimezone(UTC)
        return f"{at:%Y-%m-%dT%H:%M:%S.%f}000Z"

    def id_of(self, name: str) -> str:
        """Return the id of the container called `name`; raise `container_not_found`."""
        containers = self._containers.all()
        for container in containers:
            if container.name == name:
                return container.id
        raise container_not_found(name, [container.name for container in containers])

    def _await_running(self, name: str, check: Callable[[], None]) -> str:
        """Wait until the container runs, since it may be stopped or about to be recreated;
        return its id.
        """
        while True:
            _pause(0.5, check)
            for container in self._containers.all():
                if container.name == name and container.is_up:
                    return container.id

    def _follow_once(self, position: LogPosition, check: Callable[[], None]) -> Iterator[LogLine]:
        params: dict[str, str | int] = {"follow": 1, "tail": "all"}
        if position.since:
            params["since"] = _unix_time(position.since)
        try:
            tty = self._containers.inspect(position.container).tty
            response = self._open(position.container, params, read_timeout=None)
        except NotFound:
            return
        thread = _FollowThread(response, tty=tty)
        try:
            while (line := thread.next(check)) is not None:
                yield line
        finally:
            thread.close()

    def _read_tail(self, container_id: str, messages: int, tty: bool, tail: _TailBuffer) -> int:
        """Fill `tail` from the last `messages` messages of the log; return how many the Engine
        sent.
        """
        decoder = log_decoder(tty=tty)
        timeout = self._engine.timeout
        with self._open(container_id, {"tail": messages}, read_timeout=timeout) as response:
            for line in decoder.lines(_chunks(response)):
                tail.add(line)
        return decoder.messages

    def _open(
        self, container_id: str, params: dict[str, str | int], read_timeout: float | None
    ) -> requests.Response:
        both = {"stdout": 1, "stderr": 1, "timestamps": 1, **params}
        path = f"/containers/{container_id}/logs"
        return self._engine.stream(path, both, read_timeout=read_timeout)


class _TailBuffer:
    """Keeps the last `limit` lines, or fewer if they exceed `memory_bytes`."""

    def __init__(self, limit: int, memory_bytes: int) -> None:
        self.lines: deque[LogLine] = deque()
        self.total = 0
        self._limit = limit
        self._memory_bytes = memory_bytes
        self._size = 0

    def add(self, line: LogLine) -> None:
        self.lines.append(line)
        self.total += 1
        self._size += len(line.text) + _LINE_OVERHEAD_BYTES
        while len(self.lines) > self._limit or (
            self._size > self._memory_bytes and len(self.lines) > 1
        ):
            self._size -= len(self.lines.popleft().text) + _LINE_OVERHEAD_BYTES


class _FollowThread:
    """Reads a followed log in a thread, so that the caller can be cancelled while no line
    arrives.
    """

    def __init__(self, response: requests.Response, *, tty: bool) -> None:
        self._response = response
        self._tty = tty
        self._queue: Queue[LogLine | None] = Queue(maxsize=_QUEUE_LINES)
        self._closed = Event()
        self._thread = Thread(target=self._read, name="follow-log", daemon=True)
        self._thread.start()

    def next(self, check: Callable[[], None]) -> LogLine | None:
        """Return the next line, None at the end of the stream; calls `check` while waiting."""
        while True:
            check()
            with suppress(Empty):
                return self._queue.get(timeout=0.2)

    def close(self) -> None:
        """Close the connection, which makes the thread end."""
        self._closed.set()
        with suppress(OSError, DockerException, AttributeError):
            # docker-py raises AttributeError if the stream has already ended.
            CancellableStream(iter(()), self._response).close()
        self._thread.join(timeout=2)
        self._response.close()

    def _read(self) -> None:
        # An interrupted connection ends the stream; `follow` then looks for the container again.
        with suppress(OSError, HTTPError, ValueError):
            for line in log_decoder(tty=self._tty).lines(_chunks(self._response)):
                if not self._put(line):
                    return
        self._put(None)

    def _put(self, line: LogLine | None) -> bool:
        while not self._closed.is_set():
            with suppress(Full):
                self._queue.put(line, timeout=0.2)
                return True
        return False


def _chunks(response: requests.Response) -> Iterator[bytes]:
    while chunk := response.raw.read1(_CHUNK_BYTES):
        yield chunk


def _unix_time(at: str) -> str:
    """Convert a line's `at` to the format of the Engine's parameter `since`: seconds since 1970,
    a point, nanoseconds.
    """
    seconds = int(datetime.fromisoformat(at[:19] + "+00:00").timestamp())
    return f"{seconds}.{at[20:29]}"


def _pause(seconds: float, check: Callable[[], None]) -> None:
    end = monotonic() + seconds
    while monotonic() < end:
        check()
        sleep(0.1)
