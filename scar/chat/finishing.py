"""Lets what was begun with a platform be finished and recorded before the process ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

_T = TypeVar("_T")
_SECONDS = 4.0
"""`scar up` kills a part six seconds after it has asked it to end."""

_log = structlog.get_logger(__name__)


class Finishing:
    """Runs sends with their records, in tasks that go on where their caller is cancelled."""

    def __init__(self, *, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return what `work` returns. Where the caller is cancelled, `work` goes on without it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return await asyncio.shield(task)

    async def wait(self) -> None:
        """Wait until everything is finished; stop after a few seconds what is not."""
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
            task.exception()  # the caller has it; where there is none any more, nobody needs it
