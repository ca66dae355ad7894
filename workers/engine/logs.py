"""Reads the last lines of containers' logs."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.log_lines import LogLine, log_decoder

MEMORY_BYTES = 8 * 1024 * 1024
"""Maximum number of bytes of a log in memory for one call; beyond it, the oldest lines are
dropped.
"""

_TAIL_TRIES = 8
CHUNK_BYTES = 65536
_LINE_OVERHEAD_BYTES = 64


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

    def _read_tail(self, container_id: str, messages: int, tty: bool, tail: _TailBuffer) -> int:
        """Fill `tail` from the last `messages` messages of the log; return how many the Engine
        sent.
        """
        decoder = log_decoder(tty=tty)
        timeout = self._engine.timeout
        with open_log(
            self._engine, container_id, {"tail": messages}, read_timeout=timeout
        ) as response:
            while chunk := response.raw.read1(CHUNK_BYTES):
                for line in decoder.feed(chunk):
                    tail.add(line)
        for line in decoder.end():
            tail.add(line)
        return decoder.messages


def open_log(
    engine: Engine,
    container_id: str,
    params: Mapping[str, str | int],
    *,
    read_timeout: float | None,
) -> requests.Response:
    """Ask for both streams of a container's log, with timestamps; the caller reads and closes the
    response. Raises docker-py's `NotFound`.
    """
    both = {"stdout": 1, "stderr": 1, "timestamps": 1, **params}
    return engine.stream(f"/containers/{container_id}/logs", both, read_timeout=read_timeout)


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
