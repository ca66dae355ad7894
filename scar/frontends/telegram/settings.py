"""The settings of the Telegram bot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scar.role import Role
from scar.settings import FrontEndSettings, parsers, secret
from scar.settings.parsers import InvalidValue
from scar.settings.setting import setting

_USER_ID = re.compile(r"[1-9][0-9]{0,19}")


def _token(text: str) -> str:
    if not re.fullmatch(r"[0-9]+:[A-Za-z0-9_-]+", text):
        raise InvalidValue("is not a bot token: NUMBER:LETTERS, as @BotFather gives it")
    return text


def _users(text: str) -> dict[str, Role]:
    return parsers.users(text, _USER_ID, "USER_ID:ROLE, such as 12345:admin")


@dataclass(frozen=True)
class TelegramSettings(FrontEndSettings):
    """Settings of the Telegram bot. The front-end is enabled if `token` is set."""

    person_id = _USER_ID
    chat_id = re.compile(r"-?[1-9][0-9]{0,19}(/[1-9][0-9]{0,19})?")

    token: str | None = setting(
        "SCAR_TELEGRAM_TOKEN",
        _token,
        "the bot's token, from @BotFather",
        secrets=secret.whole_value,
    )
    api_url: str = setting(
        "SCAR_TELEGRAM_API_URL",
        parsers.server_url,
        "the Bot API server",
        default="https://api.telegram.org",
    )
    users: Mapping[str, Role] = setting(
        "SCAR_TELEGRAM_USERS",
        _users,
        "who may do what in Telegram: `USER_ID:ROLE,...`",
        default="",
    )
