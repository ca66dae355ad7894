"""A front-end's process: it works until a signal stops it, or until it cannot go on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any


async def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Does `work` until SIGTERM or SIGINT, which cancel it; what it raises is raised."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    else:
        stopping.cancel()
        await running
