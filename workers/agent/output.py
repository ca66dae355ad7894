"""What an agent prints, as much of it as anybody can want."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

MOST_CHARACTERS = 1 << 20
MOST_LINES = 5000
LONGEST_LINE = 2000
_LAST = 20


class AgentOutput:
    """Tells the first lines, up to a limit, and remembers the last ones."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._lines = 0
        self._characters = 0
        self._last: deque[str] = deque(maxlen=_LAST)

    @property
    def last(self) -> tuple[str, ...]:
        """The last lines, oldest first, each cut to 2000 characters."""
        return tuple(self._last)

    @property
    def dropped(self) -> bool:
        """Whether there was more than is told."""
        return self._lines > MOST_LINES or self._characters > MOST_CHARACTERS

    def line(self, line: str) -> None:
        """Takes in one more."""
        shown = line
        if len(line) > LONGEST_LINE:
            shown = f"{line[:LONGEST_LINE]} … [{len(line) - LONGEST_LINE} more characters]"
        self._last.append(shown)
        if self.dropped:
            return
        self._lines += 1
        self._characters += len(shown) + 1
        if self.dropped:
            self._tell("… and more, which is not shown")
        else:
            self._tell(shown)
