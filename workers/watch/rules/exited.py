"""The rule for a container that should run and does not."""

from __future__ import annotations

from scar.alerts.alert import CRITICAL, WARNING
from workers.engine.container import ContainerDetails
from workers.watch.observer import ContainerView
from workers.watch.rules.exit_words import exit_words
from workers.watch.rules.problem import Problem

_RESTARTING_POLICIES = ("always", "unless-stopped")


def exited(view: ContainerView) -> Problem | None:
    """Return the problem of a container that has ended; None for one whose work is done."""
    details = view.details
    if details is None or not view.is_to_run or details.state not in ("exited", "dead"):
        return None
    if view.asked:
        why = "It was stopped or killed by somebody else than SCAR"
        return Problem("exited", WARNING, "was stopped by hand", f"{why} ({_code(details)}).")
    if details.exit_code == 0 and _is_one_shot(details):
        return None
    words = exit_words(details.exit_code, out_of_memory=details.oom_killed)
    because = f" The Engine says: {details.error}." if details.error else ""
    return Problem("exited", CRITICAL, "has exited", f"{words[:1].upper()}{words[1:]}.{because}")


def _is_one_shot(details: ContainerDetails) -> bool:
    """Return whether a container is meant to do some work and end, such as a migration."""
    return not (
        details.has_health_check
        or details.publishes
        or details.restart_policy in _RESTARTING_POLICIES
    )


def _code(details: ContainerDetails) -> str:
    return f"exit code {details.exit_code}"
