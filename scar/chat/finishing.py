"""Completes messages that are being sent, and their records, before the process ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

_T = TypeVar("_T")
_SECONDS = 4.0
"""How long to wait; `scar up` kills a part six seconds after SIGTERM."""

_log = structlog.get_logger(__name__)


class Finishing:
    """Runs each send with its record in a task that continues if the caller is cancelled."""

    def __init__(self, *, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return the result of `work`. If the caller is cancelled, `work` continues without it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return await asyncio.shield(task)

    async def wait(self) -> None:
        """Wait until all work is finished; cancel what still runs after a few seconds."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=self._seconds)
        for task in late:
            _log.warning("message not finished before the end of the process")
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as retrieved: the caller has it
