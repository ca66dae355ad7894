"""Reads lines from standard input without blocking the event loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator


class InputLines:
    """Prints a prompt and reads one line at a time.

    A separate thread reads, so that the event loop is not blocked. It reads the file descriptor
    directly, because Python cannot exit while a thread is blocked in `sys.stdin`.
    """

    def __init__(self, prompt: str, descriptor: int = 0) -> None:
        self._prompt = prompt
        self._descriptor = descriptor
        self._requests = threading.Semaphore(0)
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._asked = False
        threading.Thread(target=self._read, name="input", daemon=True).start()

    async def next(self) -> str | None:
        """Return the next line without its line end; None at the end of the input."""
        if self._prompt and self._lines.empty():
            print(self._prompt, end="", flush=True)
        self._ask()
        line = await self._lines.get()
        self._asked = False
        return line

    async def typed(self) -> None:
        """Wait, without a prompt, until there is a line for `next`."""
        self._ask()
        self._lines.put_nowait(await self._lines.get())

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            self._requests.release()

    def _read(self) -> None:
        lines = _lines_of(self._descriptor)
        while self._requests.acquire():
            line = next(lines, None)
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
            if line is None:
                return


def _lines_of(descriptor: int) -> Iterator[str]:
    rest = b""
    while chunk := os.read(descriptor, 65_536):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")
