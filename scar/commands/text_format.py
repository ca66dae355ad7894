"""Formats numbers, names and lists of files for a message."""

from __future__ import annotations

from collections.abc import Sequence

from scar.jobs.results.file_changes import FileCounts, FileNames


def uptime(seconds: float) -> str:
    """Return a duration such as `3s`, `4m`, `2h 15m` or `3d 4h`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60}m"
    return f"{whole // 86400}d {whole % 86400 // 3600}h"


def title(name: str) -> str:
    """Return a name for a heading: `project-orchestrator` becomes `Project-Orchestrator`."""
    return "-".join(part[:1].upper() + part[1:] for part in name.split("-"))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 file` or `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[str], *, most: int = 10) -> list[str]:
    """Return one line for each name up to `most`, then a line with the number of further names."""
    lines = [f"- {name}" for name in names[:most]]
    if len(names) > most:
        lines.append(f"- … and {len(names) - most} more")
    return lines


def changed_files(
    counts: FileCounts, files: FileNames, *, most: int, indent: str = ""
) -> list[str]:
    """Return one line for each file with its sign (`+`, `~`, `-`), at most `most` of each sign,
    then the number of further files.
    """
    lines: list[str] = []
    for sign, count, names in (
        ("+", counts.added, files.added),
        ("~", counts.changed, files.changed),
        ("-", counts.removed, files.removed),
    ):
        lines += [f"{indent}{sign} {name}" for name in names[:most]]
        if count > most:
            lines.append(f"{indent}{sign} … and {count - most} more")
    return lines


def size(count: int) -> str:
    """Return a size such as `3.4 MiB`."""
    amount = float(count)
    if count < 1024:
        return f"{count} B"
    for unit in ("KiB", "MiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} GiB"
