"""`scar chat`: the chat in a terminal, or in a script that writes to its standard input."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
import tempfile
import time
from collections.abc import Coroutine
from itertools import count
from pathlib import Path
from typing import Any

from scar.access import Actor
from scar.bootstrap import bootstrap
from scar.chat.conversation import Conversation
from scar.chat.front_end import IncomingMessage, Place, SentMessage
from scar.client import ApiClient
from scar.document import Attachment, Document, Picture
from scar.frontends.console.input_lines import InputLines
from scar.frontends.console.screen import Screen
from scar.settings import Settings

_PROMPT = "› "
_INTERVAL = 0.1


class ConsoleChat:
    """Implements the chat's `FrontEnd` for a terminal. `asking` is set while a message has an
    open question.
    """

    name = "console"
    bot_name: str | None = None
    long_seconds: float | None = None

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._numbers = count(1)
        self._questions: set[str] = set()
        self.asking = asyncio.Event()

    def fit(self, document: Document) -> Document:
        """Return the whole document, with its buttons' commands as text, since a terminal has no
        buttons.
        """
        return document.with_commands()

    def interval(self, place: Place) -> float:  # noqa: ARG002
        """Return 0.1 seconds: more frequent changes could not be read."""
        return _INTERVAL

    async def send(self, place: Place, document: Document, tag: str) -> SentMessage:  # noqa: ARG002
        """Print a new message to the terminal."""
        reference = f"{os.getpid()}-{next(self._numbers)}"
        return SentMessage(reference, self._show(reference, document))

    async def notify(
        self,
        place: Place,
        document: Document,
        tag: str,
        *,
        reply_to: str | None,  # noqa: ARG002
    ) -> SentMessage:
        """Print the message: there is no other way to be told in a terminal."""
        return await self.send(place, document, tag)

    async def edit(self, place: Place, reference: str, document: Document, tag: str) -> float:  # noqa: ARG002
        """Update a message on the screen."""
        return self._show(reference, document)

    async def attach(self, place: Place, reference: str, attachment: Attachment) -> None:  # noqa: ARG002
        """Write the attachment to a new temporary folder that only this user can read, and print
        its path.
        """
        path = Path(tempfile.mkdtemp(prefix="scar-")) / attachment.name
        path.write_text(attachment.text, encoding="utf-8", errors="replace")
        self._screen.line(f"📎 {path}")

    async def send_picture(self, place: Place, reference: str, picture: Picture) -> None:
        """Do nothing: a terminal shows the text."""

    def _show(self, reference: str, document: Document) -> float:
        self._screen.show(reference, document)
        if document.asks:
            self._questions.add(reference)
        else:
            self._questions.discard(reference)
        (self.asking.set if self._questions else self.asking.clear)()
        return time.time()


def serve(settings: Settings) -> None:
    """Run the chat until standard input ends. Jobs that are still running continue without it."""
    asyncio.run(_chat(settings))


async def _chat(settings: Settings) -> None:
    user = getpass.getuser()
    actor = Actor("console", user, user)
    services = bootstrap(settings, ConsoleChat.name)
    client = ApiClient.for_actor(settings.api_url, services.signatures, actor)
    await asyncio.to_thread(client.request, "GET", "/jobs?limit=1")
    screen = Screen()
    front_end = ConsoleChat(screen)
    conversation = Conversation(front_end, services, client)
    place = Place(user)
    by_hand = screen.in_place and sys.stdin.isatty()
    lines = InputLines(prompt=_PROMPT if by_hand else "")
    try:
        await conversation.resume()
        while True:
            with screen:
                turns = [conversation.settle(), front_end.asking.wait()]
                # A person need not wait for a log that goes on; a script's lines come in order.
                await _first_of(*turns, *([lines.typed()] if by_hand else []))
            line = await lines.next()
            if line is None:
                break
            front_end.asking.clear()
            await conversation.receive(
                IncomingMessage(actor, place, line, time.time(), private=True)
            )
    finally:
        await conversation.close()


async def _first_of(*turns: Coroutine[Any, Any, object]) -> None:
    """Wait until every message shows that its job has ended, a question needs an answer, or
    something was typed.
    """
    waits = [asyncio.create_task(turn) for turn in turns]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
