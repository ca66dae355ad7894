"""Displays documents on a terminal, updated in place, or prints them as plain lines to a pipe."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from scar.document import Code, Document

if TYPE_CHECKING:  # slow to import, and of no use on a pipe
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.live import Live
    from rich.text import Text


class Screen:
    """Displays messages that change. Within `with screen:`, a terminal updates them in place.

    If the output is a pipe, each update prints only the lines that are new or changed.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._live: Live | None = None
        self._live_messages: dict[str, Document] = {}
        self._printed: dict[str, list[str]] = {}

    @property
    def in_place(self) -> bool:
        """Whether this is a terminal on which messages can change."""
        return self._stream.isatty()

    def __enter__(self) -> Screen:
        if self.in_place:
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream, highlight=False, soft_wrap=True)
            self._live_messages.clear()
            self._live = Live(console=console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, name: str, document: Document) -> None:
        """Display the message `name`, which may have been displayed before."""
        if self._live is None:
            self._print(name, document)
            return
        from rich.console import Group

        self._live_messages[name] = document
        messages = Group(*map(_text, self._live_messages.values()))
        self._live.update(_Newest(messages, self._live), refresh=True)
        self._printed[name] = document.text.split("\n")

    def _print(self, name: str, document: Document) -> None:
        lines = document.text.split("\n")
        before = self._printed.get(name, [])
        self._printed[name] = lines
        new = [
            line
            for number, line in enumerate(lines)
            if number >= len(before) or before[number] != line
        ]
        if new:
            self.line("\n".join(new))

    def line(self, text: str) -> None:
        """Print a line that never changes."""
        if self._live is not None:
            self._live.console.print(text, markup=False)
        else:
            print(text, file=self._stream, flush=True)


class _Newest:
    """The last lines of `content`, as many as the terminal has, and all of them once `live` ends.

    Rich itself would show the first lines, so that new lines of a live log would be invisible.
    """

    def __init__(self, content: RenderableType, live: Live) -> None:
        self._content = content
        self._live = live

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        lines = console.render_lines(self._content, options, pad=False)
        room = options.size.height if self._live.is_started else len(lines)
        for line in lines[-room:]:
            yield from line
            yield Segment.line()


def _text(document: Document) -> Text:
    """Return the document's text, whose long lines go on in the next one."""
    from rich.text import Text

    text = Text(no_wrap=False, overflow="fold")
    for number, block in enumerate(document.blocks):
        text.append("\n" if number else "")
        text.append(block.text, style="dim" if isinstance(block, Code) else "")
    return text
