"""The numbers that a benchmark measured, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One number beside the one it is measured against. `measured` and `limit` say the same thing,
    such as a ratio, in the same form; `ok` is whether the first keeps to the second."""

    name: str
    scar: str
    other: str
    measured: str
    limit: str
    ok: bool


def seconds(measured: float) -> str:
    """Seconds as a person reads them."""
    return f"{measured * 1000:.1f} ms" if measured < 1 else f"{measured:.2f} s"


def at_most(name: str, scar: float, other: float, limit: float, *, against: str) -> Row:
    """Two times in seconds, whose ratio must not be above `limit`."""
    ratio = scar / other
    return Row(
        name,
        seconds(scar),
        f"{against} {seconds(other)}",
        f"× {ratio:.2f}",
        f"≤ {limit}",
        ratio <= limit,
    )


def percentile(measured: Sequence[float], part: float) -> float:
    """The smallest value that `part` of all do not exceed."""
    ordered = sorted(measured)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def middle(measured: Sequence[float]) -> float:
    """The median."""
    return median(measured)


def show(rows: Sequence[Row], console: Console) -> None:
    """Prints the table."""
    table = Table(title="SCAR, measured in turns with what it is compared with")
    table.add_column("")
    for name in ("SCAR", "beside", "measured", "wanted"):
        table.add_column(name, justify="right", no_wrap=name != "beside")
    table.add_column("", no_wrap=True)
    for row in rows:
        verdict = "[green]ok[/green]" if row.ok else "[red]missed[/red]"
        table.add_row(row.name, row.scar, row.other, row.measured, row.limit, verdict)
    console.print(table)
