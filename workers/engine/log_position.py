"""A reader's position in a container's log, at which reading can resume after an interruption. The
Engine can send a log from a given time on. But several lines may have the same time, and times may
decrease slightly, since a program's two streams are written by two threads. A position therefore
consists of the latest time of all lines read, the number of lines with that time, and the number of
lines after the last of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

    def after(self, line: LogLine) -> LogPosition:
        """Return the position behind the next line."""
        if line.at > self.at:
            return LogPosition(self.container, line.at, 1)
        if line.at == self.at:
            return LogPosition(self.container, self.at, self.count + 1)
        return LogPosition(self.container, self.at, self.count, self.behind + 1)

    @property
    def since(self) -> str:
        """The time from which the Engine has to send lines; empty for all."""
        return shifted(self.at, -OVERLAP) if self.count else self.at


@dataclass(frozen=True, slots=True)
class FollowedLine:
    """A line of a followed log, and the position behind it. Without `is_new`, the line is before
    the position from which reading resumed. Without a `line`, the container was replaced by another
    with its name.
    """

    line: LogLine | None
    position: LogPosition
    is_new: bool = True


def beyond(lines: Iterable[LogLine], position: LogPosition) -> Iterator[FollowedLine]:
    """Yield the lines that the Engine sends since `position.since`, and which of them are new.

    No line before the position is later than the position's time. A later line is therefore new,
    even if the log was rotated and the position's line is gone.
    """
    left, behind = position.count, position.behind
    for line in lines:
        if (left or behind) and line.at <= position.at:
            if left:
                left -= line.at == position.at
            else:
                behind -= 1
            yield FollowedLine(line, position, is_new=False)
            continue
        left = behind = 0
        position = position.after(line)
        yield FollowedLine(line, position)


def shifted(at: str, by: timedelta) -> str:
    """Return a line's time shifted by whole microseconds, with its nanoseconds unchanged."""
    moved = datetime.fromisoformat(f"{at[:26]}+00:00") + by
    return f"{moved:%Y-%m-%dT%H:%M:%S.%f}{at[26:]}"
