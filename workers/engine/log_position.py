"""Where a reader is in a container's log, so that it can go on there after any interruption.

The Engine can begin a log at a time, but several lines may have the same one, and times may run
backwards a little: the two streams of a program are written by two threads. A position is thus the
latest time of all lines that were read, how many lines had it, and how many came after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from workers.engine.log_lines import LogLine

OVERLAP = timedelta(seconds=1)
"""How far times may run backwards: so much of the log is read again to find the position."""


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
    """A line of a followed log, and the position behind it. Not `is_new`: it was read before, by
    whoever had the position. No `line`: the container was replaced by another of its name.
    """

    line: LogLine | None
    position: LogPosition
    is_new: bool = True


def beyond(lines: Iterable[LogLine], position: LogPosition) -> Iterator[FollowedLine]:
    """Yield the lines that the Engine sends since `position.since`, and which of them are new.

    Every line before the position is no later than its time: a later one is new, also where the
    log was rotated and the line of the position is gone.
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
    """Return a line's time moved by some whole microseconds, with the same nanoseconds."""
    moved = datetime.fromisoformat(f"{at[:26]}+00:00") + by
    return f"{moved:%Y-%m-%dT%H:%M:%S.%f}{at[26:]}"
