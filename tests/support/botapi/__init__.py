"""A strict little Telegram Bot API server, with people to talk to the bot."""

from __future__ import annotations

from .person import Chat, Message, Person, Tap, Telegram
from .server import BotApiServer

__all__ = ["BotApiServer", "Chat", "Message", "Person", "Tap", "Telegram"]
