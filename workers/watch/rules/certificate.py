"""The rule for a certificate on a published port that expires soon."""

from __future__ import annotations

from datetime import datetime

from scar.alerts.alert import CRITICAL, WARNING
from workers.watch.rules.problem import Problem

_DAYS = (1, 7, 21)
_DAY_SECONDS = 86_400


def certificate(port: int, not_after: datetime, now: datetime) -> Problem | None:
    """Return the problem of a certificate that expires within 21, 7 or 1 days, or has expired;
    otherwise None.
    """
    left = (not_after - now).total_seconds() / _DAY_SECONDS
    days = next((days for days in _DAYS if left <= days), None)
    if days is None:
        return None
    what = f"has a certificate that ends within {days} day{'s' if days > 1 else ''}"
    if left <= 0:
        what = "has a certificate that has ended"
    severity = CRITICAL if left <= _DAYS[0] else WARNING
    why = f"What port {port} serves is valid until {not_after:%Y-%m-%d %H:%M} UTC."
    return Problem("certificate", severity, what, why)
