"""The rule for a container that repeatedly ends and is restarted."""

from __future__ import annotations

from scar.alerts.alert import CRITICAL
from workers.watch.observer import ContainerView
from workers.watch.rules.exit_words import exit_words
from workers.watch.rules.problem import Problem

MOST_DEATHS = 3
"""How many ends within the time window count as a loop."""

WINDOW_SECONDS = 600.0


def restart_loop(view: ContainerView, *, steady_seconds: float) -> Problem | None:
    """Return the problem of a restart loop, with how often the container has ended.

    It is one until the container has run for `steady_seconds`. A watcher that has just started has
    seen no end yet, and takes the Engine's count where the container is between two starts.
    """
    details = view.details
    if details is None:
        return None
    deaths = [death for death in view.deaths if view.at - death.at <= WINDOW_SECONDS]
    is_between = details.state == "restarting"
    if len(deaths) < MOST_DEATHS:
        if not is_between or details.restart_count < MOST_DEATHS:
            return None
        words = exit_words(details.exit_code, out_of_memory=details.oom_killed)
        why = f"The Engine has restarted it {details.restart_count} times; {words}."
        return Problem("restart_loop", CRITICAL, _WHAT, why, details.restart_count)
    last = deaths[-1]
    if not is_between and (details.state != "running" or view.at - last.at > steady_seconds):
        return None
    span = max(1, round(last.at - deaths[0].at))
    words = exit_words(last.exit_code, out_of_memory=last.out_of_memory)
    why = f"It has ended {len(deaths)} times within {span} s; the last time {words}."
    return Problem("restart_loop", CRITICAL, _WHAT, why, len(deaths))


_WHAT = "is restarting in a loop"
