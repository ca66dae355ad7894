"""`scar chat`: the chat in a terminal, or from a script through a pipe."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from scar.access import Actor
from scar.bootstrap import bootstrap
from scar.chat.conversation import Conversation
from scar.chat.front_end import IncomingMessage, Place, SentMessage
from scar.client import ApiClient, service_token
from scar.document import Attachment, Document
from scar.frontends.console.screen import Screen
from scar.settings import Settings

_PROMPT = "› "
_INTERVAL = 0.1


class ConsoleChat:
    """The front-end that the conversation speaks through.

    `asked` is set while a message with a question is shown.
    """

    name = "console"
    bot_name: str | None = None

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._numbers = count(1)
        self._questions: set[str] = set()
        self.asked = asyncio.Event()

    def fit(self, document: Document) -> Document:
        """A terminal shows all of it, and has nothing to tap."""
        return document.with_commands()

    def interval(self, place: Place) -> float:  # noqa: ARG002
        """Ten times a second is as fast as anybody reads."""
        return _INTERVAL

    async def send(self, place: Place, document: Document, tag: str) -> SentMessage:  # noqa: ARG002
        """Shows a new message."""
        reference = f"{os.getpid()}-{next(self._numbers)}"
        return SentMessage(reference, self._show(reference, document))

    async def edit(self, place: Place, reference: str, document: Document, tag: str) -> float:  # noqa: ARG002
        """Shows a message as it is now."""
        return self._show(reference, document)

    async def attach(self, place: Place, reference: str, attachment: Attachment) -> None:  # noqa: ARG002
        """Writes a file into a folder of its own, readable for this user alone."""
        path = Path(tempfile.mkdtemp(prefix="scar-")) / attachment.name
        path.write_text(attachment.text, encoding="utf-8", errors="replace")
        self._screen.line(f"📎 {path}")

    def _show(self, reference: str, document: Document) -> float:
        self._screen.show(reference, document)
        if document.asks:
            self._questions.add(reference)
        else:
            self._questions.discard(reference)
        (self.asked.set if self._questions else self.asked.clear)()
        return time.time()


def chat(settings: Settings) -> None:
    """Talks until the input ends; jobs that still run then go on without this chat."""
    asyncio.run(_chat(settings))


async def _chat(settings: Settings) -> None:
    user = getpass.getuser()
    actor = Actor("console", user, user)
    services = bootstrap(settings)
    client = ApiClient(
        settings.api_url, lambda: service_token(services.signatures, actor, time.time())
    )
    await asyncio.to_thread(client.request, "GET", "/jobs?limit=1")
    screen = Screen()
    front_end = ConsoleChat(screen)
    conversation = Conversation(front_end, services, client)
    place = Place(user)
    lines = _Lines(prompt=_PROMPT if screen.in_place and sys.stdin.isatty() else "")
    try:
        await conversation.resume()
        while True:
            with screen:
                await _quiet(conversation, front_end)
            line = await lines.next()
            if line is None:
                break
            front_end.asked.clear()
            await conversation.receive(IncomingMessage(actor, place, line, time.time()))
    finally:
        await conversation.close()


async def _quiet(conversation: Conversation, front_end: ConsoleChat) -> None:
    """Waits until everything is said, or a question waits for an answer."""
    waits = [
        asyncio.create_task(conversation.settle()),
        asyncio.create_task(front_end.asked.wait()),
    ]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


class _Lines:
    """The lines of the standard input, one at a time.

    A thread of its own reads them, so that nothing waits for a person who is gone; it reads the
    descriptor itself, since Python cannot end while a thread waits in `sys.stdin`.
    """

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._wanted = threading.Semaphore(0)
        self._loop = asyncio.get_running_loop()
        self._read: asyncio.Queue[str | None] = asyncio.Queue()
        threading.Thread(target=self._work, name="input", daemon=True).start()

    async def next(self) -> str | None:
        """The next line, without its end; None once there are no more."""
        if self._prompt:
            print(self._prompt, end="", flush=True)
        self._wanted.release()
        return await self._read.get()

    def _work(self) -> None:
        lines = _lines(0)
        while self._wanted.acquire():
            line = next(lines, None)
            self._loop.call_soon_threadsafe(self._read.put_nowait, line)
            if line is None:
                return


def _lines(descriptor: int) -> Iterator[str]:
    rest = b""
    while chunk := os.read(descriptor, 65_536):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")
