"""A server for each test, and a bot of python-telegram-bot on it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from telegram import Bot
from telegram.request import HTTPXRequest

from tests.support.botapi.server import BotApiServer

T = TypeVar("T")
Use = Callable[[Bot], Coroutine[Any, Any, T]]


@pytest.fixture
def server() -> Iterator[BotApiServer]:
    with BotApiServer() as serving:
        yield serving


async def with_bot(server: BotApiServer, use: Use[T]) -> T:
    """Return what `use` returns for a bot of this server."""
    plain = {"verify": False}
    bot = Bot(
        server.token,
        base_url=f"{server.url}/bot",
        base_file_url=f"{server.url}/file/bot",
        request=HTTPXRequest(httpx_kwargs=plain),
        get_updates_request=HTTPXRequest(httpx_kwargs=plain),
    )
    async with bot:
        return await use(bot)
