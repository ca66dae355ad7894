"""Shows the chat of the demo in a terminal, with the bot's messages updated in place."""

from __future__ import annotations

import contextlib
import io
import re
import time
from collections.abc import Mapping
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.align import Align
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from tests.support.botapi import Chat, Message

_LOOK_SECONDS = 0.1


class Screen:
    """Prints a chat. On a terminal a message updates in place; elsewhere each edit is printed."""

    def __init__(self, console: Console, pictures: Path | None = None) -> None:
        self.console = console
        self._pictures = pictures
        self._scene = ""
        self._recorded: list[RenderableType] = []

    @property
    def draws(self) -> bool:
        """Whether pictures are wanted."""
        return self._pictures is not None

    def title(self, text: str) -> None:
        """Print the title of the next scene."""
        self.keep_picture()
        self._scene = text.lower().replace(" ", "-").strip("?")
        self.console.print()
        self.console.rule(f"[bold]{text}", align="left")

    def note(self, text: str) -> None:
        """Print what happens outside the chat."""
        self.console.print(Text(f"   {text}", style="italic dim"))

    def person(self, name: str, text: str) -> None:
        """Print a person's message."""
        bubble = Panel(text, title=name, title_align="right", border_style="green", expand=False)
        self.console.print(bubble, justify="right")
        self._recorded.append(Align.right(bubble))

    def bot(self, chat: Chat, before: Mapping[int, str], expected: str, seconds: float) -> Message:
        """Show the newest message as it changes, until one says `expected`, and return that one.

        `before` is what the messages said until now. What rings comes behind the one that answers;
        those before it may change, too: a deploy's message tells how its bake ends.
        """
        deadline = time.monotonic() + seconds
        live = Live(console=self.console, refresh_per_second=10)
        shown = ""
        with live if self.console.is_terminal else contextlib.nullcontext():
            while True:
                latest = max(before, default=0)
                new = [m for m in chat.from_bot if m.id >= latest and m.text != before.get(m.id)]
                if new and new[-1].text != shown:
                    shown = new[-1].text
                    if "🔨" in shown and expected not in shown:
                        self._draw(f"{self._scene}-live", [_bubble(new[-1])])
                    if self.console.is_terminal:
                        live.update(_bubble(new[-1]))
                    else:
                        self.console.print(_bubble(new[-1]))
                answer = next((m for m in new if expected in m.text), None)
                if answer is not None:
                    self._recorded.append(_bubble(answer))
                    return answer
                if time.monotonic() > deadline:
                    raise AssertionError(f"the bot did not say it in {seconds} s; it said: {shown}")
                time.sleep(_LOOK_SECONDS)

    def keep_picture(self) -> None:
        """Draws the scene that has ended, where pictures are wanted."""
        if self._recorded:
            self._draw(self._scene, self._recorded)
        self._recorded = []

    def _draw(self, name: str, content: list[RenderableType]) -> None:
        if self._pictures is None:
            return
        paper = Console(record=True, width=66, file=io.StringIO(), force_terminal=True)
        for part in content:
            paper.print(part)
        plain = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
        self._pictures.mkdir(parents=True, exist_ok=True)
        path = self._pictures / f"{name}.svg"
        path.write_text(paper.export_svg(title="Telegram", code_format=plain, unique_id=name))


def _bubble(message: Message) -> Panel:
    parts = [Text(message.text)]
    if message.buttons:
        parts.append(Text("  ".join(f"[ {label} ]" for label in message.buttons), style="cyan"))
    edits = f"edited {message.edits}×" if message.edits else None
    return Panel(
        Group(*parts), title="SCAR", title_align="left", subtitle=edits, border_style="blue",
        expand=False,
    )  # fmt: skip
