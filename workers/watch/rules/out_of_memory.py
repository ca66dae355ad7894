"""The rule for a container that was killed because it ran out of memory, whether it was restarted
or not.
"""

from __future__ import annotations

from scar.alerts.alert import CRITICAL
from workers.watch.observer import ContainerView
from workers.watch.rules.problem import Problem


def out_of_memory(view: ContainerView, *, steady_seconds: float) -> Problem | None:
    """Return the problem of a container that ran out of memory and has not run for
    `steady_seconds` since.
    """
    details = view.details
    if details is None or not view.is_to_run:
        return None
    up = details.state in ("running", "paused")
    if not up and details.oom_killed:
        why = f"The kernel killed it (exit code {details.exit_code}), and it is not running."
        return Problem("out_of_memory", CRITICAL, _WHAT, f"{why} {_REMEDY}")
    last = view.deaths[-1] if view.deaths else None
    if last is None or not last.out_of_memory or view.at - last.at > steady_seconds:
        return None
    ends = sum(death.out_of_memory for death in view.deaths)
    after = "it was started again" if up else "it is not running"
    why = f"The kernel killed it (exit code {last.exit_code}), and {after}."
    return Problem("out_of_memory", CRITICAL, _WHAT, f"{why} {_REMEDY}", ends)


_WHAT = "ran out of memory"
_REMEDY = "Raise its `mem_limit`, or find what uses it up."
