"""Follows the Engine's events about containers: `GET /events` of the Engine's API."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

import requests
from docker.errors import DockerException
from docker.types import CancellableStream
from urllib3.exceptions import HTTPError

from scar.json_object import JsonObject
from workers.engine.connection import Engine
from workers.engine.container import PROJECT

_ACTIONS = (
    *("create", "start", "die", "oom", "kill", "stop", "destroy", "rename", "health_status"),
    *("pause", "unpause"),
)
_KEPT = 256
"""The number of past events that the Engine keeps and can send again."""

_CHUNK_BYTES = 65536
_NANOSECONDS = 1_000_000_000
QUIET_SECONDS = 30.0
"""Seconds without an event after which the stream is opened anew, to see whether the Engine still
answers.
"""


@dataclass(frozen=True)
class EngineEvent:
    """An event about a container. `at` is in seconds since the epoch, by the Engine's clock.

    `action` is the Engine's word (`die`, `health_status`, ...), `detail` the text after it
    (`unhealthy`). `project` and `service` are Compose's labels, `exit_code` that of a `die`,
    `signal` the number of the signal of a `kill`.
    """

    at: float
    action: str
    detail: str
    id: str
    name: str
    project: str
    service: str
    oneoff: bool
    exit_code: int | None
    signal: str = ""

    @classmethod
    def parse(cls, raw: JsonObject) -> EngineEvent:
        """Parse one line of `GET /events`."""
        actor = raw.get("Actor") or {}
        labels: Mapping[str, str] = actor.get("Attributes") or {}
        action, _, detail = str(raw.get("Action") or "").partition(": ")
        code = labels.get("exitCode", "")
        return cls(
            at=int(raw.get("timeNano") or 0) / _NANOSECONDS,
            action=action,
            detail=detail,
            id=str(actor.get("ID") or ""),
            name=labels.get("name", ""),
            project=labels.get(PROJECT, ""),
            service=labels.get("com.docker.compose.service", ""),
            oneoff=labels.get("com.docker.compose.oneoff", "") == "True",
            exit_code=int(code) if code.isdecimal() else None,
            signal=labels.get("signal", ""),
        )


class EngineEvents:
    """The events of one Engine's containers. A stream is followed by one thread, and may be closed
    by any. The Engine keeps its last events, so a reopened stream continues where the last one
    ended; callers should still compare the containers' states after reopening. Yielded events are
    recognised by their content and not by their time, since the Engine's clock may be set back, and
    simultaneous events may come in either order.
    """

    def __init__(self, engine: Engine, *, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._engine = engine
        self._quiet_seconds = quiet_seconds
        self._last = 0  # nanoseconds
        self._recent: deque[tuple[int, str, str]] = deque(maxlen=_KEPT)
        self._lock = Lock()
        self._response: requests.Response | None = None
        self._closed = False

    def follow(self) -> Iterator[EngineEvent | None]:
        """Yield None once the stream is open, then each event, until the stream ends.

        Raises `ScarError` if the Engine cannot be reached. The next call goes on after the last
        event that was yielded.
        """
        response = self._open()
        if response is None:
            return
        try:
            yield None
            for line in _lines(response):
                raw = json.loads(line)
                event, at = EngineEvent.parse(raw), int(raw.get("timeNano") or 0)
                key = at, event.action, event.id
                if key not in self._recent:
                    self._recent.append(key)
                    self._last = at
                    yield event
        finally:
            with self._lock:
                self._response = None
            response.close()

    def close(self) -> None:
        """End the stream, and every later one at once."""
        with self._lock:
            self._closed = True
            response = self._response
        if response is not None:
            with suppress(OSError, DockerException, AttributeError):
                # docker-py raises AttributeError if the stream has already ended.
                CancellableStream(iter(()), response).close()

    def _open(self) -> requests.Response | None:
        filters = json.dumps({"type": ["container"], "event": list(_ACTIONS)})
        params: dict[str, str | int] = {"filters": filters}
        if self._last:
            params["since"] = f"{self._last // _NANOSECONDS}.{self._last % _NANOSECONDS:09d}"
        response = self._engine.stream("/events", params, read_timeout=self._quiet_seconds)
        with self._lock:
            if not self._closed:
                self._response = response
                return response
        response.close()
        return None


def _lines(response: requests.Response) -> Iterator[bytes]:
    """Yield the lines of a response until it ends, breaks off or nothing comes for a while."""
    rest = b""
    with suppress(OSError, HTTPError, ValueError):
        while chunk := response.raw.read1(_CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line for line in lines if line.strip())
