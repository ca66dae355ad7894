"""How often a place is written to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class EditThrottle:
    """Spaces the edits of one place, and keeps quiet where the platform asks for it.

    The time between two edits runs from the end of the first, so that a slow request cannot make
    the platform see two in a row. Whoever waits is served in turn.
    """

    def __init__(self) -> None:
        self._turns = asyncio.Lock()
        self._next_edit = 0.0
        self._held_until = 0.0

    @asynccontextmanager
    async def edit(self, interval: float) -> AsyncIterator[None]:
        """The turn to edit once, `interval` seconds after the message before."""
        async with self._turns:
            while (wait := self._next_edit - _now()) > 0:
                await asyncio.sleep(wait)
            await self._release()
            try:
                yield
            finally:
                self._next_edit = _now() + interval

    @asynccontextmanager
    async def send(self, interval: float) -> AsyncIterator[None]:
        """Sends a new message at once, but for what the platform asked for."""
        await self._release()
        try:
            yield
        finally:
            self._next_edit = _now() + interval

    def hold(self, seconds: float) -> None:
        """Nothing more is sent to the place for so long."""
        self._held_until = max(self._held_until, _now() + seconds)

    async def _release(self) -> None:
        while (wait := self._held_until - _now()) > 0:
            await asyncio.sleep(wait)


def _now() -> float:
    return asyncio.get_running_loop().time()
