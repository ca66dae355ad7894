"""Sends and edits messages in Telegram, with buttons and files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
from telegram import (
    Bot,
    InputFile,
    LinkPreviewOptions,
    Message,
    ReplyParameters,
)
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated, Forbidden, RetryAfter, TelegramError

from scar.chat.end_notice import LONG_SECONDS
from scar.chat.front_end import Place, SentMessage, Undelivered
from scar.document import Attachment, Document, Picture
from scar.frontends.telegram.keyboard import keyboard
from scar.frontends.telegram.render import fit, to_html, to_plain
from scar.json_object import JsonObject

_PRIVATE_SECONDS = 1.0
_GROUP_SECONDS = 3.0
_AGAIN_SECONDS = 2.0
_GONE = ("message to edit not found", "message can't be edited", "message_id_invalid")


class TelegramChat:
    """Implements the chat's `FrontEnd` for one Telegram bot. `bot_name` is the bot's name
    without `@`.
    """

    name = "telegram"
    long_seconds: float | None = LONG_SECONDS

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._moved: dict[str, str] = {}
        self.bot_name: str | None = None

    def fit(self, document: Document) -> Document:
        """Return the document shortened to what fits into one message."""
        return fit(document)

    def interval(self, place: Place) -> float:
        """Return the minimum between two edits: 1 second in a private chat, 3 seconds in a
        group.
        """
        return _GROUP_SECONDS if place.chat.startswith("-") else _PRIVATE_SECONDS

    async def send(self, place: Place, document: Document, tag: str) -> SentMessage:
        """Send a message to its chat and topic, without a sound."""
        return await self._send(place, document, tag, disable_notification=True)

    async def notify(
        self, place: Place, document: Document, tag: str, *, reply_to: str | None
    ) -> SentMessage:
        """Send a message that makes a sound, in reply to an earlier one."""
        return await self._send(place, document, tag, reply_parameters=_reply(reply_to))

    async def edit(self, place: Place, reference: str, document: Document, tag: str) -> float:
        """Edit a message."""
        to = {"chat_id": self._chat(place), "message_id": int(reference)}
        with self._undelivered(place):
            try:
                message = await self._written(self._bot.edit_message_text, document, tag, **to)
            except BadRequest as error:
                if "message is not modified" not in str(error).lower():
                    raise
                return time.time()
        return (message.edit_date or message.date).timestamp()

    async def attach(self, place: Place, reference: str, attachment: Attachment) -> None:
        """Send the attachment as a file in reply to its message."""
        content = attachment.text.encode("utf-8", "replace")
        with self._undelivered(place):
            await self._bot.send_document(
                document=InputFile(content, filename=attachment.name),
                reply_parameters=_reply(reference),
                disable_notification=True,
                **self._to(place),
            )

    async def _send(
        self, place: Place, document: Document, tag: str, **options: Any
    ) -> SentMessage:
        to = {**self._to(place), **options}
        with self._undelivered(place):
            message = await self._written(self._bot.send_message, document, tag, **to)
        return SentMessage(str(message.message_id), message.date.timestamp())

    async def send_picture(self, place: Place, reference: str, picture: Picture) -> None:
        """Send the picture as a photo in reply to its message, without a sound."""
        content = await asyncio.to_thread(picture.png)
        with self._undelivered(place):
            await self._bot.send_photo(
                photo=InputFile(content, filename=picture.name),
                reply_parameters=_reply(reference),
                disable_notification=True,
                **self._to(place),
            )

    async def _written(self, method: Any, document: Document, tag: str, **to: Any) -> Message:
        """Send or edit a message as HTML; if Telegram cannot parse the HTML, as plain text."""
        to["reply_markup"] = keyboard(document, tag)
        to["link_preview_options"] = LinkPreviewOptions(is_disabled=True)
        try:
            sent = await method(text=to_html(document), parse_mode=ParseMode.HTML, **to)
        except BadRequest as error:
            if "can't parse entities" not in str(error).lower():
                raise
            sent = await method(text=to_plain(document), **to)
        assert isinstance(sent, Message)
        return sent

    def _chat(self, place: Place) -> str:
        return self._moved.get(place.chat, place.chat)

    def _to(self, place: Place) -> JsonObject:
        thread = int(place.thread) if place.thread else None
        return {"chat_id": self._chat(place), "message_thread_id": thread}

    @contextmanager
    def _undelivered(self, place: Place) -> Iterator[None]:
        try:
            yield
        except ChatMigrated as error:
            self._moved[place.chat] = str(error.new_chat_id)
            raise Undelivered("the group became a supergroup", 0.0, gone=True) from error
        except Forbidden as error:
            raise Undelivered(str(error), None) from error
        except BadRequest as error:
            gone = any(word in str(error).lower() for word in _GONE)
            raise Undelivered(str(error), None, gone=gone) from error
        except TelegramError as error:
            unsure = _may_have_arrived(error)
            raise Undelivered(str(error), wait_of(error), unsure=unsure) from error


def _may_have_arrived(error: TelegramError) -> bool:
    """Return whether the connection broke after the request may have been sent. What Telegram
    answers to, a rate limit or an error, was not done.
    """
    never_sent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    cause = error.__cause__
    return isinstance(cause, httpx.HTTPError) and not isinstance(cause, never_sent)


def _reply(reference: str | None) -> ReplyParameters | None:
    if reference is None:
        return None
    return ReplyParameters(int(reference), allow_sending_without_reply=True)


def wait_of(error: TelegramError) -> float:
    """Return after how many seconds to retry a failed request."""
    if not isinstance(error, RetryAfter):
        return _AGAIN_SECONDS
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
