"""How the chat is shown in a terminal: who says what, the bot's message updating in place."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from tests.botapi import Chat, Message

_LOOK_SECONDS = 0.1


class Screen:
    """Prints a chat. On a terminal a message updates in place; elsewhere each edit is printed."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = time.monotonic()

    def title(self, text: str) -> None:
        """What comes next."""
        self.console.print()
        self.console.rule(f"[bold]{text}", align="left")

    def note(self, text: str) -> None:
        """Something that happens outside the chat."""
        self.console.print(Text(f"   {text}", style="italic dim"))

    def person(self, name: str, text: str) -> None:
        """A message of a person."""
        bubble = Panel(text, title=name, title_align="right", border_style="green", expand=False)
        self.console.print(bubble, justify="right")

    def bot(
        self, chat: Chat, known: set[int], done: Callable[[Message], bool], seconds: float
    ) -> Message:
        """Shows the bot's message as it changes until `done`; `known` are older messages."""
        deadline = time.monotonic() + seconds
        live = Live(console=self.console, refresh_per_second=10, transient=False)
        shown = ""
        with live if self.console.is_terminal else _Quiet():
            while True:
                new = [m for m in chat.from_bot if m.id not in known or done(m)]
                message = new[-1] if new else None
                if message is not None and message.text != shown:
                    shown = message.text
                    if self.console.is_terminal:
                        live.update(_bubble(message))
                    else:
                        self.console.print(_bubble(message))
                if message is not None and done(message):
                    return message
                if time.monotonic() > deadline:
                    raise AssertionError(f"the bot did not say it in {seconds} s; it said: {shown}")
                time.sleep(_LOOK_SECONDS)


class _Quiet:
    """Where nothing is updated in place."""

    def __enter__(self) -> None:
        """Nothing to begin."""

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""


def _bubble(message: Message) -> Panel:
    parts = [Text(message.text)]
    if message.buttons:
        parts.append(Text("  ".join(f"[ {label} ]" for label in message.buttons), style="cyan"))
    edits = f"edited {message.edits}×" if message.edits else None
    return Panel(
        Group(*parts), title="SCAR", title_align="left", subtitle=edits, border_style="blue",
        expand=False,
    )  # fmt: skip
