"""Limits an agent's output to what a message can show."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

MOST_CHARACTERS = 1 << 20
MOST_LINES = 5000
LONGEST_LINE = 2000
_LAST = 20


class AgentOutput:
    """Passes the first lines of output to `show`, up to a number of lines and of characters, and
    keeps the last 20.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._lines = 0
        self._characters = 0
        self._last: deque[str] = deque(maxlen=_LAST)

    @property
    def last(self) -> tuple[str, ...]:
        """The last 20 lines, oldest first, each cut to 2000 characters."""
        return tuple(self._last)

    @property
    def _is_full(self) -> bool:
        return self._lines > MOST_LINES or self._characters > MOST_CHARACTERS

    def add_line(self, line: str) -> None:
        """Keep a line; pass it to `show` unless a limit has been reached."""
        if len(line) > LONGEST_LINE:
            line = f"{line[:LONGEST_LINE]} … [{len(line) - LONGEST_LINE} more characters]"
        self._last.append(line)
        if self._is_full:
            return
        self._lines += 1
        self._characters += len(line) + 1
        self._show("… and more, which is not shown" if self._is_full else line)
