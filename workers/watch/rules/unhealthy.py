"""The rule for a running container whose health check fails."""

from __future__ import annotations

from scar.alerts.alert import CRITICAL
from workers.watch.observer import ContainerView
from workers.watch.rules.problem import Problem

_MOST_CHARACTERS = 300


def unhealthy(view: ContainerView) -> Problem | None:
    """Return the problem of a container whose health check fails."""
    details = view.details
    if details is None or details.state != "running" or details.health != "unhealthy":
        return None
    said = " / ".join(details.probe_output[-3:])[:_MOST_CHARACTERS]
    why = f"Its health check says: {said}" if said else "Its health check fails and says nothing."
    return Problem("unhealthy", CRITICAL, "is unhealthy", why)
