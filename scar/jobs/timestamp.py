"""Points in time: milliseconds since the epoch inside SCAR, RFC 3339 outside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


@overload
def rfc3339(at: int) -> str: ...


@overload
def rfc3339(at: int | None) -> str | None: ...


def rfc3339(at: int | None) -> str | None:
    """Return milliseconds since the epoch as `2026-01-31T12:00:00.123Z`; None for None."""
    if at is None:
        return None
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"


def milliseconds(text: str | None) -> int | None:
    """Return the milliseconds since the epoch of an RFC 3339 text; None for None."""
    if text is None:
        return None
    return round(datetime.fromisoformat(text).timestamp() * 1000)
