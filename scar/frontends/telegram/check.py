"""The check of the Telegram bot in `scar doctor`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from telegram.error import InvalidToken, TelegramError

from scar.frontends.telegram.bot import make_bot
from scar.frontends.telegram.settings import TelegramSettings
from scar.registration.spec import Finding


def check(settings: TelegramSettings, *, named_in_projects: bool) -> Iterator[Finding]:
    """Ask Telegram for the bot's name, and check that at least one person may use the bot.

    `named_in_projects`: whether a project gives somebody in Telegram a role.
    """
    if settings.token is None:
        if settings.users:
            yield Finding(
                "telegram",
                "SCAR_TELEGRAM_USERS is set, and there is no bot",
                "Set SCAR_TELEGRAM_TOKEN to the bot's token, from @BotFather.",
            )
            return
        yield Finding("telegram", "not set up (SCAR_TELEGRAM_TOKEN)")
        return
    try:
        yield Finding("telegram", f"the bot is @{asyncio.run(_bot_name(settings))}")
    except InvalidToken:
        yield Finding(
            "telegram",
            "SCAR_TELEGRAM_TOKEN: Telegram does not know this token",
            "Ask @BotFather for the bot's token.",
        )
    except TelegramError as error:
        yield Finding("telegram", str(error), f"Is {settings.api_url} reachable?")
    if not settings.users and not named_in_projects:
        yield Finding(
            "telegram users",
            "nobody may use the bot",
            "Set SCAR_TELEGRAM_USERS=YOUR_ID:admin; the bot tells you your id.",
        )


async def _bot_name(settings: TelegramSettings) -> str:
    async with make_bot(settings) as bot:
        return str(bot.username)
