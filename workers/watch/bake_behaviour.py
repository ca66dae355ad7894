"""Determines from a container's history and figures how it behaved before and after a deploy."""

from __future__ import annotations

import structlog

from scar.jobs.bake import Bake
from workers.state.bake_state import ContainerHistory
from workers.state.usage_ring import UsageRing
from workers.watch.bake_rules import SETTLING_SECONDS, Behaviour, whole_minutes

_BEFORE_SECONDS = 86_400
_MEMORY_BEFORE_SECONDS = 6 * 3600
_log = structlog.get_logger(__name__)


def behaviour_before(history: ContainerHistory, ring: UsageRing, bake: Bake) -> Behaviour:
    """Return the behaviour in the time before the deploy, at most a day."""
    end = bake.began / 1000
    start = max(history.since, end - _BEFORE_SECONDS)
    return Behaviour(
        max(0.0, end - start),
        _count(history.deaths, start, end),
        _count(history.flaps, start, end),
        whole_minutes(history.minutes[-60:], start, end),
        _memory(ring, int(end) - _MEMORY_BEFORE_SECONDS, int(end)),
        history.down and history.down_since <= end,
    )


def behaviour_after(
    history: ContainerHistory, ring: UsageRing, bake: Bake, now: float
) -> Behaviour:
    """Return the behaviour since the deploy."""
    start = bake.began / 1000
    return Behaviour(
        max(0.0, now - start),
        _count(history.deaths, start, now),
        _count(history.flaps, start, now),
        whole_minutes(history.minutes, start + SETTLING_SECONDS, now),
        _memory(ring, int(start) + SETTLING_SECONDS, int(now)),
        history.down,
    )


def _count(moments: list[float], start: float, end: float) -> int:
    return sum(start <= at <= end for at in moments)


def _memory(ring: UsageRing, start: int, end: int) -> tuple[int, ...]:
    if end <= start:
        return ()
    try:
        return tuple(sample.memory for sample in ring.since(start, end))
    except OSError as error:
        _log.warning("figures not read", reason=str(error))
        return ()
