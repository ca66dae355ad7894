"""Limits how often messages in one chat are edited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class EditThrottle:
    """Spaces the edits in one place, and holds all messages back while the platform demands a
    pause.

    The interval between two edits begins when the first one has ended: otherwise a slow request
    could make the platform receive two in a row. Waiting edits are made in the order of their
    calls.
    """

    def __init__(self) -> None:
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
                yield
            finally:
                self._next_edit = _now() + interval

    @asynccontextmanager
    async def send(self, interval: float) -> AsyncIterator[None]:
        """Let the block send a new message at once, unless the platform has demanded a pause."""
        await self._pause_ends()
        try:
            yield
        finally:
            self._next_edit = _now() + interval

    def pause(self, seconds: float) -> None:
        """Hold back all messages and edits in this place for this many seconds."""
        self._paused_until = max(self._paused_until, _now() + seconds)

    async def _pause_ends(self) -> None:
        while (wait := self._paused_until - _now()) > 0:
            await asyncio.sleep(wait)


def _now() -> float:
    return asyncio.get_running_loop().time()
