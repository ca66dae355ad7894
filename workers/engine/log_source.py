"""Where the bytes of a followed log come from."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from threading import Thread
from typing import Protocol

import requests
from docker.errors import DockerException
from docker.types import CancellableStream
from urllib3.exceptions import HTTPError

from workers.engine.byte_queue import ByteQueue
from workers.engine.connection import Engine
from workers.engine.logs import CHUNK_BYTES, open_log

_WAITING_BYTES = 1 << 20


class LogSource(Protocol):
    """The bytes of a log."""

    def read(self, seconds: float) -> bytes | None:
        """Return the next bytes; none at the end, None where nothing came in so many seconds. A
        connection that breaks is an end.
        """

    def close(self) -> None:
        """End the source."""


class EngineSource:
    """The Engine's own stream of a log, read in a thread: the call that waits for the Engine cannot
    be left.
    """

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self._queue = ByteQueue(_WAITING_BYTES)
        self._thread = Thread(target=self._read, name="engine-log", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, engine: Engine, container_id: str, since: str, *, follow: bool) -> EngineSource:
        """Ask for the lines from the first one on that is not before `since` (a line's `at`, empty
        for all), and where `follow` for those that are written later. Raises docker-py's
        `NotFound`.
        """
        params: dict[str, str | int] = {"follow": int(follow), "tail": "all"}
        if since:
            params["since"] = _unix_time(since)
        timeout = None if follow else engine.timeout
        return cls(open_log(engine, container_id, params, read_timeout=timeout))

    def read(self, seconds: float) -> bytes | None:
        """Return the next bytes."""
        return self._queue.take(seconds)

    def close(self) -> None:
        """Close the connection, which makes the thread end."""
        self._queue.end()
        with suppress(OSError, DockerException, AttributeError):
            # docker-py raises AttributeError if the stream has already ended.
            CancellableStream(iter(()), self._response).close()
        self._thread.join(timeout=2)
        self._response.close()

    def _read(self) -> None:
        with suppress(OSError, HTTPError, ValueError):
            while chunk := self._response.raw.read1(CHUNK_BYTES):
                if not self._queue.put(chunk):
                    return
        self._queue.end()


def _unix_time(at: str) -> str:
    """Convert a line's `at` to the format of the Engine's parameter `since`: seconds since 1970,
    a point, nanoseconds.
    """
    seconds = int(datetime.fromisoformat(at[:19] + "+00:00").timestamp())
    return f"{seconds}.{at[20:29]}"
