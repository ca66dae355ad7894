"""python-telegram-bot's Application polls: messages, edits, taps, and a second poller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.error import Conflict, NetworkError
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, ContextTypes
from telegram.request import HTTPXRequest

from tests.support.botapi.server import BotApiServer

from .conftest import with_bot

_App = Application[Any, Any, Any, Any, Any, Any]


async def _ask(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    if update.effective_message is None:
        return
    if update.edited_message is not None:
        await update.effective_message.reply_text("I saw that")
        return
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="yes")]])
    await update.effective_message.reply_text("Sure?", reply_markup=keyboard)


async def _done(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.callback_query is not None
    await update.callback_query.answer("on it")
    await update.callback_query.edit_message_text("Done")


async def _polling(server: BotApiServer, meanwhile: Callable[[], Awaitable[None]]) -> None:
    app: _App = Application.builder().token(server.token).base_url(f"{server.url}/bot").build()
    app.add_handler(CommandHandler("deploy", _ask))
    app.add_handler(CallbackQueryHandler(_done))
    async with app:
        await app.start()
        assert app.updater is not None
        await app.updater.start_polling(timeout=5)
        try:
            await meanwhile()
        finally:
            await app.updater.stop()
            await app.stop()


def test_an_application_of_python_telegram_bot_can_talk_to_the_emulator(
    server: BotApiServer,
) -> None:
    ann = server.private_chat(7, "Ann")
    ann.person.says("/deploy web", ann)  # said while the bot is away

    def talk() -> None:
        asked = ann.wait_for_text("Sure?")
        tap = ann.person.taps(asked, "Yes").wait()
        assert tap["answer"]["text"] == "on it"
        assert tap["answered_at"] - tap["at"] < 5
        done = ann.wait_for_text("Done")
        assert (done.id, done.buttons, done.edits) == (asked.id, [], 1)
        with pytest.raises(ValueError, match="no button"):
            ann.person.taps(done, "Yes")
        ann.person.says("/deploy all", ann, edited=True)
        ann.wait_for_text("I saw that")

    asyncio.run(_polling(server, lambda: asyncio.to_thread(talk)))
    assert server.pending() == 0
    assert ann.messages[0].edits == 1


def test_the_older_of_two_pollers_gets_the_conflict_error(server: BotApiServer) -> None:
    async def both(bot: Bot) -> None:
        older = asyncio.create_task(bot.get_updates(timeout=20))
        await asyncio.to_thread(server.wait_for, lambda: bool(server.calls("getUpdates")))
        newer = asyncio.create_task(bot.get_updates(timeout=20))
        with pytest.raises(Conflict, match="terminated by other getUpdates request"):
            await older
        chat = await asyncio.to_thread(server.private_chat, 7, "Ann")
        await asyncio.to_thread(chat.person.says, "/start", chat)
        assert len(await newer) == 1

    asyncio.run(with_two_connections(server, both))


async def with_two_connections(server: BotApiServer, use: Callable[[Bot], Awaitable[None]]) -> None:
    bot = Bot(
        server.token,
        base_url=f"{server.url}/bot",
        get_updates_request=HTTPXRequest(connection_pool_size=2, httpx_kwargs={"verify": False}),
    )
    async with bot:
        await use(bot)


def test_updates_stay_until_the_next_poll_confirms_them(server: BotApiServer) -> None:
    ann = server.private_chat(7, "Ann")
    for text in ("one", "two", "three"):
        ann.person.says(text, ann, date=1_700_000_000)

    async def poll(bot: Bot) -> None:
        first = await bot.get_updates(timeout=0)
        assert [u.message.text for u in first if u.message] == ["one", "two", "three"]
        assert {u.message.date.timestamp() for u in first if u.message} == {1_700_000_000}
        again = await bot.get_updates(timeout=0)
        assert [u.update_id for u in again] == [u.update_id for u in first]
        left = await bot.get_updates(offset=first[1].update_id + 1, timeout=0)
        assert [u.message.text for u in left if u.message] == ["three"]

    asyncio.run(with_bot(server, poll))
    assert server.pending() == 1


def test_only_allowed_updates_are_queued(server: BotApiServer) -> None:
    ann = server.private_chat(7, "Ann")

    async def poll(bot: Bot) -> list[Update]:
        await bot.get_updates(timeout=0, allowed_updates=["edited_message"])
        ann.person.says("one", ann)
        ann.person.says("two", ann, edited=True)
        return list(await bot.get_updates(timeout=5))

    (update,) = asyncio.run(with_bot(server, poll))
    assert update.edited_message is not None
    assert update.edited_message.text == "two"


def test_closing_the_emulator_ends_a_long_poll(server: BotApiServer) -> None:
    async def poll(bot: Bot) -> None:
        polling = asyncio.create_task(bot.get_updates(timeout=50))
        await asyncio.to_thread(server.wait_for, lambda: bool(server.calls("getUpdates")))
        await asyncio.to_thread(server.methods.close)
        assert await asyncio.wait_for(polling, 5) == ()

    asyncio.run(with_bot(server, poll))


def test_a_stopped_emulator_refuses_connections() -> None:
    async def ask(bot: Bot) -> None:
        await asyncio.to_thread(server.stop)
        with pytest.raises(NetworkError):
            await bot.get_me()

    server = BotApiServer()
    server.start()
    asyncio.run(with_bot(server, ask))
