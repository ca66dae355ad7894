"""Limits how often messages in one chat are edited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from scar.chat.front_end import Undelivered


class EditThrottle:
    """Spaces the edits in one place, and holds all messages back while the platform demands a
    pause.

    The interval between two edits begins when the first one has ended: otherwise a slow request
    could make the platform receive two in a row. Waiting edits are made in the order of their
    calls.
    """

    def __init__(self, count: Callable[[str], None] = lambda _: None) -> None:
        """`count` is called with the outcome of each message: `sent`, `edited` or `refused`."""
        self._count = count
        self._queue = asyncio.Lock()
        self._next_edit = 0.0
        self._paused_until = 0.0

    @asynccontextmanager
    async def edit(self, interval: float) -> AsyncIterator[None]:
        """Wait until `interval` seconds after the previous message or edit, then let the block
        make one edit.
        """
        async with self._queue:
            while (wait := self._next_edit - _now()) > 0:
                await asyncio.sleep(wait)
            await self._pause_ends()
            try:
                with self._counted("edited"):
                    yield
            finally:
                self._next_edit = _now() + interval

    @asynccontextmanager
    async def send(self, interval: float) -> AsyncIterator[None]:
        """Let the block send a new message at once, unless the platform has demanded a pause."""
        await self._pause_ends()
        try:
            with self._counted("sent"):
                yield
        finally:
            self._next_edit = _now() + interval

    def pause(self, seconds: float) -> None:
        """Hold back all messages and edits in this place for this many seconds."""
        self._paused_until = max(self._paused_until, _now() + seconds)

    @contextmanager
    def _counted(self, outcome: str) -> Iterator[None]:
        try:
            yield
        except Undelivered:
            self._count("refused")
            raise
        self._count(outcome)

    async def _pause_ends(self) -> None:
        while (wait := self._paused_until - _now()) > 0:
            await asyncio.sleep(wait)


def _now() -> float:
    return asyncio.get_running_loop().time()
