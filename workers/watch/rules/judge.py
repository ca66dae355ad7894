"""Applies the rules in order; the first that finds a problem is taken for the cause of the
others.
"""

from __future__ import annotations

from workers.watch.observer import ContainerView
from workers.watch.rules.exited import exited
from workers.watch.rules.gone import gone
from workers.watch.rules.out_of_memory import out_of_memory
from workers.watch.rules.problem import Problem
from workers.watch.rules.restart_loop import restart_loop
from workers.watch.rules.unhealthy import unhealthy


def judge(view: ContainerView, *, steady_seconds: float) -> Problem | None:
    """Return what is wrong with a container; None if nothing is."""
    return (
        gone(view)
        or restart_loop(view, steady_seconds=steady_seconds)
        or out_of_memory(view, steady_seconds=steady_seconds)
        or exited(view)
        or unhealthy(view)
    )
