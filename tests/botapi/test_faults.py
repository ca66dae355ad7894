"""Floods, limits, errors, lost answers and slow ones."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from telegram import Bot
from telegram.error import NetworkError, RetryAfter, TimedOut

from tests.support.botapi.faults import Limiter
from tests.support.botapi.rules import ApiError
from tests.support.botapi.server import BotApiServer

from .conftest import with_bot

# `RetryAfter.retry_after` warns that it will be a timedelta.
pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


def test_a_scripted_rate_limit_fails_the_next_calls_to_that_chat(server: BotApiServer) -> None:
    ann, ben = server.private_chat(7, "Ann"), server.private_chat(8, "Ben")
    server.fault("flood", chat=ann, times=2, seconds=222)

    async def send(bot: Bot) -> None:
        await bot.send_message(8, "free")
        for _ in range(2):
            with pytest.raises(RetryAfter) as flooded:
                await bot.send_message(7, "x")
            assert flooded.value.retry_after in (222, timedelta(seconds=222))
        await bot.send_message(7, "at last")

    asyncio.run(with_bot(server, send))
    assert [one.text for one in ann.messages + ben.messages] == ["at last", "free"]
    assert [call["status"] for call in server.calls("sendMessage", ann)] == [429, 429, 200]


def test_the_emulated_rate_limit_counts_edits_and_ends_after_the_announced_time(
    server: BotApiServer,
) -> None:
    server.private_chat(7, "Ann")
    server.limits(burst=2)

    async def write(bot: Bot) -> None:
        sent = await bot.send_message(7, "0")
        await bot.edit_message_text("1", 7, sent.message_id)
        with pytest.raises(RetryAfter):
            await bot.edit_message_text("2", 7, sent.message_id)
        server.limits(False)
        await bot.edit_message_text("3", 7, sent.message_id)

    asyncio.run(with_bot(server, write))


def test_the_emulator_limits_messages_per_second_and_per_minute() -> None:
    clock = [1000.0]
    limiter = Limiter(lambda: clock[0], burst=3)
    for _ in range(3):
        limiter.check("sendMessage", 7)
    with pytest.raises(ApiError, match="retry after 1"):
        limiter.check("editMessageText", 7)
    limiter.check("getUpdates", None)
    clock[0] += 1
    limiter.check("editMessageText", 7)
    for _ in range(20):
        clock[0] += 1
        limiter.check("sendMessage", -5)
    clock[0] += 1
    with pytest.raises(ApiError) as refused:
        limiter.check("sendMessage", -5)
    assert refused.value.parameters == {"retry_after": 40}
    clock[0] += 40
    limiter.check("sendMessage", -5)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_request_that_fails_with_a_scripted_server_error_has_no_effect(
    server: BotApiServer, status: int
) -> None:
    ann = server.private_chat(7, "Ann")
    server.fault("error", method="sendMessage", status=status)

    async def send(bot: Bot) -> None:
        with pytest.raises(NetworkError):
            await bot.send_message(7, "x")

    asyncio.run(with_bot(server, send))
    assert ann.messages == []


@pytest.mark.parametrize(("kind", "arrived"), [("drop", []), ("lose", ["x"])])
def test_a_scripted_dropped_connection_reaches_the_client_as_a_network_error(
    server: BotApiServer, kind: str, arrived: list[str]
) -> None:
    ann = server.private_chat(7, "Ann")
    server.fault(kind, method="sendMessage")

    async def send(bot: Bot) -> None:
        with pytest.raises(NetworkError):
            await bot.send_message(7, "x")

    asyncio.run(with_bot(server, send))
    assert [message.text for message in ann.messages] == arrived
    assert [call["dropped"] for call in server.calls("sendMessage")] == [True]


def test_a_slow_reply_times_out_and_cleared_faults_do_not_happen(server: BotApiServer) -> None:
    ann = server.private_chat(7, "Ann")
    server.fault("slow", method="sendMessage", seconds=0.6)

    async def send(bot: Bot) -> None:
        with pytest.raises(TimedOut):
            await bot.send_message(7, "slow", read_timeout=0.2)
        await asyncio.to_thread(ann.wait_for_text, "slow")
        server.fault("drop", times=100)
        server.clear_faults()
        await bot.send_message(7, "quick")

    asyncio.run(with_bot(server, send))
    assert [message.text for message in ann.messages] == ["slow", "quick"]
