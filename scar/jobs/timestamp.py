"""Converts times: milliseconds since the epoch inside SCAR, RFC 3339 outside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


@overload
def rfc3339(at: int) -> str: ...


@overload
def rfc3339(at: int | None) -> str | None: ...


def rfc3339(at: int | None) -> str | None:
    """Format milliseconds since the epoch as `2026-01-31T12:00:00.123Z`; return None for None."""
    if at is None:
        return None
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"


LATEST = 4_102_444_800_000
"""The year 2100 in milliseconds, after which no time of SCAR can be."""


def moment(value: object) -> int:
    """Parse an untrusted time in milliseconds since the epoch, a number or a text; raise
    `ValueError` or `TypeError` if it is invalid.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"a {type(value).__name__} is no time")
    if not 0 <= int(value) <= LATEST:
        raise ValueError("that is no time of this century")
    return int(value)


def milliseconds(text: str | None) -> int | None:
    """Parse an RFC 3339 time to milliseconds since the epoch; return None for None."""
    if text is None:
        return None
    return round(datetime.fromisoformat(text).timestamp() * 1000)
