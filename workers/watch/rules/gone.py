"""The rule for a container that no longer exists."""

from __future__ import annotations

from scar.alerts.alert import CRITICAL
from workers.watch.observer import ContainerView
from workers.watch.rules.problem import Problem


def gone(view: ContainerView) -> Problem | None:
    """Return the problem of a container that was removed, but not by a job of SCAR."""
    if view.details is not None or not view.expected:
        return None
    why = "It was removed by somebody else than SCAR, and no other container is in its place."
    return Problem("gone", CRITICAL, "is gone", why)
