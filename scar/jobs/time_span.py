"""Parses time spans that people type: `30m`, `6h` or `1d`."""

from __future__ import annotations

TIME_SPAN = r"([5-9]|[1-9][0-9]{1,2}|1[0-3][0-9]{2}|14[0-3][0-9]|1440)m|([1-9]|1[0-9]|2[0-4])h|1d"
"""The regular expression of a time span from five minutes to a day (1440 minutes)."""

ANY_SPAN = r"[1-9][0-9]{0,4}s|[1-9][0-9]{0,3}m|[1-9][0-9]{0,2}h|[1-9][0-9]?d"
"""The regular expression of a time span from a second to some months."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_of(span: str) -> int:
    """Return a text that matches `TIME_SPAN` in seconds."""
    return int(span[:-1]) * _SECONDS[span[-1]]


def seconds_of_any(span: str) -> int:
    """Return a text that matches `ANY_SPAN` in seconds."""
    return int(span[:-1]) * _SECONDS[span[-1]]
