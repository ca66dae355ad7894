"""Converts Telegram's updates to messages for SCAR."""

from __future__ import annotations

import time

import telegram
from telegram import CallbackQuery, Message, Update
from telegram.constants import ChatType

from scar.access import Actor
from scar.chat.front_end import IncomingMessage, Place


def incoming_message(update: Update, *, key: str, stale: bool) -> IncomingMessage | None:
    """Return the text that a person wrote, or the button that a person tapped.

    None for all other updates: edited messages, forwards, other bots, channels and media.
    """
    if update.callback_query is not None:
        return _tapped(update.callback_query, key, stale)
    message = update.message
    if message is None or message.text is None or message.from_user is None:
        return None
    if message.sender_chat or message.forward_origin or message.via_bot:
        return None
    if message.from_user.is_bot:
        return None
    return IncomingMessage(
        actor=_actor(message.from_user),
        place=_place(message),
        text=message.text,
        sent_at=message.date.timestamp(),
        number=message.message_id,
        reply_to=_replied(message),
        key=key,
        stale=stale,
        private=message.chat.type == ChatType.PRIVATE,
    )


def _replied(message: Message) -> str | None:
    """Return the id of the bot's message that this one replies to. In a topic every message replies
    to the one that made the topic, which no bot wrote.
    """
    replied = message.reply_to_message
    is_bots = replied is not None and replied.from_user is not None and replied.from_user.is_bot
    return str(replied.message_id) if replied is not None and is_bots else None


def _tapped(query: CallbackQuery, key: str, stale: bool) -> IncomingMessage | None:
    answer, _, tag = (query.data or "").partition(":")
    if not answer or ":" not in tag or not isinstance(query.message, Message):
        return None
    return IncomingMessage(
        actor=_actor(query.from_user),
        place=_place(query.message),
        text=answer,
        sent_at=time.time(),
        tag=tag,
        key=key,
        stale=stale,
    )


def _actor(user: telegram.User) -> Actor:
    return Actor("telegram", str(user.id), user.full_name[:64])


def _place(message: Message) -> Place:
    in_topic = message.is_topic_message and message.message_thread_id is not None
    thread = str(message.message_thread_id) if in_topic else None
    return Place(str(message.chat.id), thread)
