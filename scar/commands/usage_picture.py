"""Renders the containers' usage over time as a chart and as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from scar.charts.picture import ChartPicture
from scar.charts.time_chart import Curve, Mark, Panel, TimeChart
from scar.commands.text_format import local_zone, title
from scar.jobs.results.stats import UsageHistory, UsageSeries

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 12
"""How many characters a sparkline has: it has to fit behind a value on a phone's line."""


def usage_picture(project: str, history: UsageHistory) -> ChartPicture:
    """Return the picture of the usage: CPU, memory, network and disk, with a curve for each
    container.
    """
    rows = history.containers

    def curves(values: Sequence[Sequence[float | None]]) -> tuple[Curve, ...]:
        return tuple(Curve(row.name, tuple(value)) for row, value in zip(rows, values, strict=True))

    chart = TimeChart(
        title=f"{title(project)}, last {_span(history)}",
        zone=local_zone(),
        start=history.start // 1000,
        step=history.step_seconds,
        panels=(
            Panel("CPU", "percent", curves([row.cpu for row in rows])),
            Panel("Memory", "bytes", curves([row.memory for row in rows])),
            Panel("Network, in and out", "rate", curves([_network(row) for row in rows])),
            Panel("Disk, read and written", "rate", curves([_disk(row) for row in rows])),
        ),
        marks=tuple(Mark(mark.at // 1000, mark.kind) for mark in history.marks),
    )
    return ChartPicture(f"{project}-stats.png", chart)


def _span(history: UsageHistory) -> str:
    seconds = history.step_seconds * len(history.containers[0].cpu)
    return f"{round(seconds / 3600)}h" if seconds >= 5400 else f"{round(seconds / 60)} min"


def sparkline(values: Sequence[float | None]) -> str:
    """Return a row of bars, from 0 to the greatest value; a gap where nothing was measured."""
    width = min(_WIDTH, len(values))
    parts = [
        values[len(values) * n // width : len(values) * (n + 1) // width] for n in range(width)
    ]
    peaks = [max((v for v in part if v is not None), default=None) for part in parts]
    top = max((peak for peak in peaks if peak is not None), default=0) or 1
    return "".join(
        " " if peak is None else _BARS[min(len(_BARS) - 1, int(peak / top * len(_BARS)))]
        for peak in peaks
    ).strip()


def _network(row: UsageSeries) -> list[float | None]:
    return _sum(row.network_received, row.network_sent)


def _disk(row: UsageSeries) -> list[float | None]:
    return _sum(row.disk_read, row.disk_written)


def _sum(one: Sequence[float | None], other: Sequence[float | None]) -> list[float | None]:
    pairs = zip(one, other, strict=True)
    return [None if a is None or b is None else a + b for a, b in pairs]
