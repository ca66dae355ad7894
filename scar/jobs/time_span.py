"""A time that a person types: `30m`, `6h` or `1d`, from five minutes to a day."""

from __future__ import annotations

TIME_SPAN = r"([5-9]|[1-9][0-9]{1,2}|1[0-3][0-9]{2}|14[0-3][0-9]|1440)m|([1-9]|1[0-9]|2[0-4])h|1d"
"""The regular expression of a time; 1440 minutes are a day."""

_SECONDS = {"m": 60, "h": 3600, "d": 86_400}


def seconds_of(span: str) -> int:
    """Return the seconds of a text that matches `TIME_SPAN`."""
    return int(span[:-1]) * _SECONDS[span[-1]]
