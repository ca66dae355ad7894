"""Reads the usage of a project's containers over a time span from the stored samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby

import structlog

from scar.errors import ScarError
from scar.jobs.results.stats import UsageHistory, UsageMark, UsageSeries
from workers.runtime.context import JobContext
from workers.state.releases import Releases
from workers.state.usage_ring import FINE_SECONDS, UsageRings, UsageSample, step_of

_MOST_POINTS = 360
_MOST_VALUES = 3600
"""The maximum number of values for all containers together, so that many containers get fewer
values each.
"""

_LEAST_POINTS = 60
_NEW_SECONDS = 2 * FINE_SECONDS
_log = structlog.get_logger(__name__)


def usage_history(context: JobContext, names: Sequence[str], seconds: int) -> UsageHistory:
    """Return the samples of the last `seconds` of the containers, with the releases of that time.

    A container without a sample in that time is left out.
    """
    points = max(_LEAST_POINTS, min(_MOST_POINTS, _MOST_VALUES // max(1, len(names))))
    base = step_of(seconds)
    step = -(-seconds // points // base) * base or base
    until = int(context.wall()) // step * step + step
    start = until - -(-seconds // step) * step
    rings = UsageRings(context.folder)
    series = [_series(rings, name, start, until, step) for name in names]
    return UsageHistory(
        start * 1000,
        step,
        tuple(row for row in series if row is not None),
        tuple(_marks(context, start * 1000)),
    )


def newest_cpu(context: JobContext, names: Sequence[str]) -> dict[str, float]:
    """Return the CPU of the newest sample of each container, in percent of one core; a container
    that was not sampled within the last 20 seconds is left out.
    """
    rings, now = UsageRings(context.folder), int(context.wall())
    newest: dict[str, float] = {}
    for name in names:
        with suppress(OSError):
            for sample in rings.of(name).since(now - _NEW_SECONDS, now + 1):
                newest[name] = round(sample.cpu, 1)
    return newest


def _series(rings: UsageRings, name: str, start: int, until: int, step: int) -> UsageSeries | None:
    try:
        samples = rings.of(name).since(start, until)
    except OSError as error:
        _log.warning("figures not read", container=name, reason=str(error))
        return None
    if not samples:
        return None
    by_step = {at: list(group) for at, group in groupby(samples, lambda s: (s.at - start) // step)}
    steps = [by_step.get(number, []) for number in range((until - start) // step)]

    def values(of: Callable[[Sequence[UsageSample]], float]) -> tuple[int | None, ...]:
        return tuple(round(of(group)) if group else None for group in steps)

    return UsageSeries(
        name,
        tuple(round(max(s.cpu for s in group), 1) if group else None for group in steps),
        values(lambda group: max(s.memory for s in group)),
        values(lambda group: sum(s.received for s in group) / len(group)),
        values(lambda group: sum(s.sent for s in group) / len(group)),
        values(lambda group: sum(s.read for s in group) / len(group)),
        values(lambda group: sum(s.written for s in group) / len(group)),
    )


def _marks(context: JobContext, start: int) -> list[UsageMark]:
    """Return the releases and alerts since `start` (in milliseconds), oldest first."""
    marks: list[UsageMark] = []
    for mark in (_release_marks, _alert_marks):
        try:
            marks += mark(context)
        except ScarError as error:
            _log.warning("figures not marked", job=context.request.id, reason=error.message)
    return sorted((m for m in marks if m.at >= start), key=lambda m: m.at)


def _release_marks(context: JobContext) -> list[UsageMark]:
    releases = Releases(context.folder)
    rows = [releases.get(id) for id in releases.ids()]
    return [UsageMark(r.at, "rollback" if r.restored else "deploy", r.by) for r in rows]


def _alert_marks(context: JobContext) -> list[UsageMark]:
    return [
        UsageMark(alert.opened_at, "alert", f"{alert.container} {alert.what}")
        for alert in context.alerts()
        if alert.is_of(context.project)
    ]
