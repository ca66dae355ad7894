"""Numbers and times on the axes of a picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

_STEPS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600)
_MOST_LABELS = 6
_FACTORS = (1, 2, 3, 4, 5, 6, 8)
_PERCENT_FACTORS = (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8)
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_LEAST = {"percent": 1.0, "bytes": 1024.0, "rate": 1024.0}


def nice_top(greatest: float, unit: str) -> float:
    """Return the top of an axis: a round number of its unit, no less than the greatest value."""
    greatest = max(greatest * 1.05, _LEAST[unit])
    base = 1.0 if unit == "percent" else 1024.0 ** int(math.log(greatest, 1024))
    amount = greatest / base
    tens = 10.0 ** math.floor(math.log10(amount))
    factors = _PERCENT_FACTORS if unit == "percent" else _FACTORS
    factor = next((f for f in factors if f * tens >= amount - 1e-9), 10)
    return factor * tens * base


def shown_value(value: float, unit: str) -> str:
    """Return a value on an axis: `50%`, `1.5 MiB`, `20 KiB/s`."""
    if unit == "percent":
        return f"{value:g}%"
    number = 0
    while value >= 1024 and number < len(_UNITS) - 1:
        value, number = value / 1024, number + 1
    return f"{value:.3g} {_UNITS[number]}" + ("/s" if unit == "rate" else "")


def time_labels(start: int, seconds: int) -> Iterator[tuple[int, str]]:
    """Yield round moments by this host's clock, and how they are written; six at most."""
    step = next((s for s in _STEPS if seconds / s <= _MOST_LABELS), _STEPS[-1])
    shift = int(
        (datetime.fromtimestamp(start).astimezone().utcoffset() or timedelta()).total_seconds()
    )
    at = -(-(start + shift) // step) * step - shift
    while at <= start + seconds:
        yield at, datetime.fromtimestamp(at).strftime("%H:%M")
        at += step
