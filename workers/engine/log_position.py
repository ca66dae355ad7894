"""A reader's position in a container's log, at which reading can resume after an interruption. The
Engine can send a log from a given time on. But several lines may have the same time, and times may
decrease slightly, since a program's two streams are written by two threads. A position therefore
consists of the latest time of all lines read, the number of lines with that time, and the number of
lines after the last of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from workers.engine.log_lines import LogLine

OVERLAP = timedelta(seconds=1)
"""By how much times may decrease; so much of the log is read again to find the position."""


@dataclass(frozen=True, slots=True)
class LogPosition:
    """The container, the latest time `at` of the lines that were read, how many lines of that time
    there were, and how many `behind` the last of them.

    Without a line yet, `at` is when to begin; empty for the log's beginning.
    """

    container: str
    at: str = ""
    count: int = 0
    behind: int = 0

    def after(self, lines: Sequence[LogLine]) -> LogPosition:
        """Return the position behind the next lines."""
        at, count, behind = self.at, self.count, self.behind
        for line in lines:
            if line.at > at:
                at, count, behind = line.at, 1, 0
            elif line.at == at:
                count, behind = count + 1, 0
            else:
                behind += 1
        return LogPosition(self.container, at, count, behind)

    @property
    def since(self) -> str:
        """The time from which the Engine has to send lines; empty for all."""
        return shifted(self.at, -OVERLAP) if self.count else self.at


@dataclass(frozen=True, slots=True)
class FollowedLines:
    """New lines of a followed log, and the position behind them. `before` are lines before the
    position from which reading resumed. `replaced` says that the container was replaced by another
    with its name.
    """

    new: Sequence[LogLine]
    position: LogPosition
    before: Sequence[LogLine] = ()
    replaced: bool = False


class LogReader:
    """Tells which lines are new, of those that a source sends.

    A source has the log from the first line on that is not before `since`; it may begin earlier. No
    line before the position is later than the position's time. A later line is therefore new, even
    if the log was rotated and the position's line is gone.
    """

    def __init__(self, position: LogPosition) -> None:
        self.position = position
        self.since = position.since
        self._left, self._behind = position.count, position.behind
        self._begun = False
        self._floor: str | None = None
        self._from_floor = 0

    def count_from(self, floor: str) -> None:
        """Count from now on the lines from a time on, which another source has too."""
        self._floor, self._from_floor = floor, 0

    def go_on_at_floor(self) -> None:
        """Go on with the source that has the log from the time of `count_from` on: what was counted
        has been read.
        """
        assert self._floor is not None
        self.since, self._floor = self._floor, None
        self._left, self._behind = 0, self._from_floor
        self._begun = False

    def take(self, lines: Sequence[LogLine]) -> FollowedLines:
        """Return which of the next lines are new."""
        if not self._begun:
            lines = lines[_first(lines, self.since) :]
            self._begun = bool(lines)
        if self._floor is not None:
            begin = 0 if self._from_floor else _first(lines, self._floor)
            self._from_floor += len(lines) - begin
        known = self._count_known(lines)
        self.position = self.position.after(lines[known:])
        return FollowedLines(lines[known:], self.position, lines[:known])

    def _count_known(self, lines: Sequence[LogLine]) -> int:
        """Return how many of the lines, which are the first, come before the position."""
        known = 0
        while (self._left or self._behind) and known < len(lines):
            line = lines[known]
            if line.at > self.position.at:
                self._left = self._behind = 0
            else:
                if self._left:
                    self._left -= line.at == self.position.at
                else:
                    self._behind -= 1
                known += 1
        return known


def _first(lines: Sequence[LogLine], since: str) -> int:
    """Return the index of the first line that is not before a time; their number where all are."""
    return next((n for n, line in enumerate(lines) if line.at >= since), len(lines))


def shifted(at: str, by: timedelta) -> str:
    """Return a line's time shifted by whole microseconds, with its nanoseconds unchanged."""
    moved = datetime.fromisoformat(f"{at[:26]}+00:00") + by
    return f"{moved:%Y-%m-%dT%H:%M:%S.%f}{at[26:]}"
