"""Formats numbers, names and lists of files for a message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from scar.jobs.results.file_changes import FileCounts, FileNames

_DIFF_LINES = 40
_DIFF_CHARACTERS = 2000


def beginning_of(diff: str) -> str:
    """Return as many whole lines of a diff as fit into a message."""
    lines = diff.splitlines()[:_DIFF_LINES]
    while lines and sum(len(line) + 1 for line in lines) > _DIFF_CHARACTERS:
        lines.pop()
    beginning = "\n".join(lines)
    return beginning if beginning == diff else f"{beginning}\n…".lstrip()


MOST_FILES = 5
"""How many files a message lists."""

_WIDTH = 48
"""How many characters of a line a phone shows."""


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


def local_time(at: int) -> str:
    """Return milliseconds since the epoch by this host's clock: `09:04` today, `27 Nov 09:04`."""
    moment = datetime.fromtimestamp(at / 1000).astimezone()
    today = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M" if today else "%d %b %H:%M")


def local_zone() -> str:
    """Return the name of this host's time zone, `UTC` or `CEST`."""
    return datetime.now().astimezone().tzname() or "local time"


def title(name: str) -> str:
    """Return a name for a heading: `project-orchestrator` becomes `Project-Orchestrator`."""
    return "-".join(part[:1].upper() + part[1:] for part in name.split("-"))


def capitalized(name: str) -> str:
    """`odin-health-agent` as `Odin-health-agent`: a container's name, else as it is."""
    return name[:1].upper() + name[1:]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 file` or `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[str], *, most: int = MOST_FILES) -> list[str]:
    """Return one line for each name, and a line with how many more there are."""
    lines = [f"- {_end_of(name)}" for name in names[:most]]
    if len(names) > most:
        lines.append(f"- … and {len(names) - most} more")
    return lines


def changed_files(counts: FileCounts, files: FileNames, *, indent: str = "") -> list[str]:
    """Return one line for each file with its sign (`+`, `~`, `-`): at most five, at least one of
    each sign, and a line with how many more there are.
    """
    sorts = (
        ("+", counts.added, files.added),
        ("~", counts.changed, files.changed),
        ("-", counts.removed, files.removed),
    )
    room = MOST_FILES
    lines: list[str] = []
    later = sum(1 for _, _, names in sorts if names)
    for sign, _, names in sorts:
        if names:
            later -= 1
            shown = names[: max(1, room - later)]
            lines += [f"{indent}{sign} {_end_of(name)}" for name in shown]
            room -= len(shown)
    more = sum(count for _, count, _ in sorts) - len(lines)
    return [*lines, f"{indent}… and {more} more"] if more > 0 else lines


def _end_of(path: str) -> str:
    """Return a path; if it is too wide for a phone, its end, in which paths usually differ."""
    return path if len(path) <= _WIDTH else f"…{path[1 - _WIDTH :]}"


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
