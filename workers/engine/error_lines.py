"""Counts the log lines of a container that look like errors."""

from __future__ import annotations

import re

from docker.errors import NotFound

from workers.engine.connection import Engine

_MOST_LINES = 2000
_LOOKS_LIKE = re.compile(
    rb"\b(?:error|fatal|critical|panic|exception|traceback|unhandled)\b|\w(?:Error|Exception)\b",
    re.IGNORECASE,
)
_IS_NONE = re.compile(
    rb"\b(?:no|0|without) errors?\b|\berrors?[\"']?\s*[:=]\s*[\"']?(?:0|null|none|false|nil)\b",
    re.IGNORECASE,
)


def looks_like_error(line: bytes) -> bool:
    """Return whether a line reports an error, unlike `0 errors` or `error=null`."""
    return bool(_LOOKS_LIKE.search(_IS_NONE.sub(b"", line)))


def error_lines(engine: Engine, container_id: str, start: int, end: int) -> int:
    """Count the lines between `start` and `end` (seconds since the epoch) that look like errors,
    among the last 2,000 lines. 0 for a container that does not exist, or whose log cannot be read.
    """
    with engine.api() as api:
        try:
            text = api.logs(
                container_id, since=start, until=end, tail=_MOST_LINES, stdout=True, stderr=True
            )
        except NotFound:
            return 0
    return sum(looks_like_error(line) for line in text.splitlines())
