"""Keeps an open screen live: Server-Sent Events whose data are finished pieces of HTML.

A piece is made of the same partial template as the screen itself.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import structlog
from flask import Response, request, stream_with_context

from scar.api.context import context
from scar.api.events import STREAM, hold_open
from scar.api.page import gate
from scar.errors import ScarError

BEAT_SECONDS = 5.0
BEAT = b"event: beat\ndata:\n\n"
_CHECK_SECONDS = 10.0
"""After how many seconds a stream ends whose visitor has lost the right to see it."""

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
"""Line breaks, which must not occur in an event's name because they would begin another event."""

_KEY = re.compile(r'name="(?:key|csrf)" value="[^"]*"')
_PACE_SECONDS = 0.04
_PACE_OF_STREAM_SECONDS = 0.001
_RETRY_SECONDS = 1.0
_BEGIN = b"retry: 1000\n\n"
_GONE = (
    '<p class="problem" role="alert">You are signed out, or what was shown here is gone. '
    '<a href="/">Look again</a></p>'
)
_log = structlog.get_logger(__name__)


@dataclass
class RepeatedCheck:
    """Checks every 10 s whether the visitor may still see what a stream shows. `clock` gives
    seconds.
    """

    ask: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._at = self.clock()

    def holds(self) -> bool:
        """Return False once the visitor may no longer see it."""
        if self.clock() - self._at < _CHECK_SECONDS:
            return True
        self._at = self.clock()
        return self.ask()


def piece(name: str, html: str, id: int | None = None) -> bytes:
    """Encode a piece of HTML as an event (WHATWG HTML, section 9.2)."""
    lines = "".join(f"data: {line}\n" for line in _LINE_BREAK.split(html))
    number = "" if id is None else f"id: {id}\n"
    return f"{number}event: {name}\n{lines}\n".encode()


def without_keys(html: str) -> str:
    """Return what two drawings of the same screen have in common: each button has a new key, each
    form a token that is masked anew.
    """
    return _KEY.sub("", html)


def digest(drawn: Mapping[str, str]) -> str:
    """Return a short name of what a screen shows, by which its stream knows what is there."""
    return sha256(without_keys("".join(drawn.values())).encode("utf-8", "replace")).hexdigest()[:16]


def gone() -> bytes:
    """Return the last piece of a stream that the visitor may no longer see."""
    return piece("gone", _GONE)


def signed_in() -> bool:
    """Return whether the session of the current request still counts."""
    return gate.sessions().of_cookie(gate.cookie()) is not None


def pace() -> None:
    """Wait before a stream sends more. The wait grows with the number of open streams, since each
    update costs a rendering.
    """
    time.sleep(_PACE_SECONDS + _PACE_OF_STREAM_SECONDS * len(context().open_streams))


def opened(pieces: Iterator[bytes]) -> Response:
    """Return a response that streams `pieces`. Raises 429 or 503 if too many streams are open."""
    if request.method == "HEAD":
        return Response(content_type=STREAM)
    return hold_open(stream_with_context(_guarded(pieces)))


def wait_for_redis(error: ScarError) -> bytes:
    """If Redis cannot be read, wait a moment and return an SSE comment that keeps the stream open;
    raise any other error.
    """
    if error.code != "redis_unavailable":
        raise error
    _log.warning("a live screen waits", reason=error.message)
    context().events.closed.wait(_RETRY_SECONDS)
    return BEAT


def _guarded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield _BEGIN
    try:
        yield from pieces
    except ScarError as error:
        _log.info("a live screen ended", reason=error.message)
        yield gone()
