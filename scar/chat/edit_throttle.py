"""How often a place is written to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class EditThrottle:
    """Spaces the edits in one place, and sends nothing while the platform has asked for a pause.

    The interval between two edits is measured from the end of the first, so that a slow request
    cannot make the platform see two in a row. Edits that wait are served in order.
    """

    def __init__(self) -> None:
        self._queue = asyncio.Lock()
        self._next_edit = 0.0
        self._paused_until = 0.0

    @asynccontextmanager
    async def edit(self, interval: float) -> AsyncIterator[None]:
        """Wait until `interval` seconds after the message before, then let one edit be made."""
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
        """Let a new message be sent at once, unless the platform has asked for a pause."""
        await self._pause_ends()
        try:
            yield
        finally:
            self._next_edit = _now() + interval

    def pause(self, seconds: float) -> None:
        """Send nothing to the place for so long."""
        self._paused_until = max(self._paused_until, _now() + seconds)

    async def _pause_ends(self) -> None:
        while (wait := self._paused_until - _now()) > 0:
            await asyncio.sleep(wait)


def _now() -> float:
    return asyncio.get_running_loop().time()
