"""SCAR in Telegram: groups, topics and private chats, over the Bot API's long polling.

Updates are confirmed to Telegram by the next poll, so only once they were handled: a bot that is
killed hears them again, and does what it did already only once.
"""

from __future__ import annotations

import asyncio
import time
import warnings

import structlog
import telegram
from telegram import Bot, BotCommand, CallbackQuery, Message, Update
from telegram.error import BadRequest, Conflict, InvalidToken, TelegramError
from telegram.request import HTTPXRequest
from telegram.warnings import PTBDeprecationWarning

from scar.access import Actor
from scar.bootstrap import Services, bootstrap
from scar.chat.conversation import Conversation
from scar.chat.front_end import IncomingMessage, Place
from scar.client import ApiClient, service_token
from scar.commands import all_commands
from scar.errors import ScarError
from scar.frontends.telegram.chat import TelegramChat, wait_of
from scar.frontends.telegram.render import beginning
from scar.frontends.until_stopped import until_stopped
from scar.redis_client import redis_errors
from scar.settings import Settings, SettingsError

_POLL_SECONDS = 30
_CONFLICTS = 3
_SEEN_SECONDS = 2 * 86_400
_SPINNER_SECONDS = 2.0
_LONGEST_TOAST = 200
_log = structlog.get_logger(__name__)


class TelegramBot:
    """One bot: hears its updates and hands them to the conversation."""

    def __init__(self, bot: Bot, services: Services, conversation: Conversation) -> None:
        self._bot = bot
        self._redis = services.redis
        self._conversation = conversation

    async def run(self) -> None:
        """Takes up what was left, then listens; ends only cancelled, or with what ends a part of
        it: a process that is started again does more than half of one."""
        await self._conversation.resume()
        works = self._conversation.look_out(), self._listen()
        tasks = [asyncio.create_task(work) for work in works]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await self._conversation.close()

    async def _listen(self) -> None:
        offset: int | None = None
        stale = True  # what lay at Telegram before the first empty answer came while we were away
        conflicts = 0
        while True:
            try:
                updates = await self._bot.get_updates(
                    offset,
                    timeout=0 if stale else _POLL_SECONDS,
                    allowed_updates=[Update.MESSAGE, Update.CALLBACK_QUERY],
                )
            except InvalidToken as error:
                raise _bad_token() from error
            except Conflict as error:
                conflicts += 1
                if conflicts == _CONFLICTS:
                    raise _second_poller() from error
                await asyncio.sleep(1)
            except TelegramError as error:
                _log.warning("Telegram cannot be reached", reason=str(error))
                await asyncio.sleep(wait_of(error))
            else:
                conflicts = 0
                for update in updates:
                    await self._take(update, stale=stale)
                    offset = update.update_id + 1
                stale = stale and bool(updates)

    async def _take(self, update: Update, *, stale: bool) -> None:
        incoming = incoming_message(
            update, key=f"telegram:{self._bot.id}:{update.update_id}", stale=stale
        )
        if incoming is None or await self._done(incoming):
            return
        if update.callback_query is None:
            await self._conversation.receive(incoming)
        else:
            await self._hear_tap(incoming, update.callback_query)
        await self._note(incoming)

    async def _hear_tap(self, incoming: IncomingMessage, query: CallbackQuery) -> None:
        """Hears a button; its spinner is stopped at once, with a word where there is one yet."""
        hearing = asyncio.create_task(self._conversation.receive(incoming))
        done, _ = await asyncio.wait({hearing}, timeout=_SPINNER_SECONDS)
        said = hearing.result() if done else None
        try:
            await query.answer(text=beginning(said, _LONGEST_TOAST) if said else None)
        except TelegramError as error:  # too old to be answered, or Telegram is away
            _log.info("tap not answered", reason=str(error))
        await hearing

    async def _done(self, incoming: IncomingMessage) -> bool:
        """Whether an earlier run did this already. Where Redis is away, hearing it will say so."""
        try:
            with redis_errors():
                return bool(
                    await asyncio.to_thread(self._redis.exists, f"scar:heard:{incoming.key}")
                )
        except ScarError:
            return False

    async def _note(self, incoming: IncomingMessage) -> None:
        name = f"scar:heard:{incoming.key}"
        try:
            with redis_errors():
                await asyncio.to_thread(self._redis.set, name, "1", ex=_SEEN_SECONDS)
        except ScarError as error:
            _log.warning("update not noted", reason=error.message)


def incoming_message(update: Update, *, key: str, stale: bool) -> IncomingMessage | None:
    """What a person said or tapped; None for all else: edits, forwards, bots, channels, media."""
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
        key=key,
        stale=stale,
    )


def _tapped(query: CallbackQuery, key: str, stale: bool) -> IncomingMessage | None:
    answer, _, tag = (query.data or "").partition(":")
    job, colon, plan = tag.partition(":")
    if not answer or not colon or not isinstance(query.message, Message):
        return None
    return IncomingMessage(
        actor=_actor(query.from_user),
        place=_place(query.message),
        text=answer,
        sent_at=time.time(),
        button=(job, plan),
        key=key,
        stale=stale,
    )


def _actor(user: telegram.User) -> Actor:
    return Actor("telegram", str(user.id), user.full_name[:64])


def _place(message: Message) -> Place:
    in_topic = message.is_topic_message and message.message_thread_id is not None
    thread = str(message.message_thread_id) if in_topic else None
    return Place(str(message.chat.id), thread)


def _bad_token() -> ScarError:
    return SettingsError(["SCAR_TELEGRAM_TOKEN: Telegram does not know this token"])


def _second_poller() -> ScarError:
    return ScarError(
        "conflict",
        "Another process polls Telegram with the same SCAR_TELEGRAM_TOKEN",
        "Stop it: one bot has one poller.",
    )


def serve(settings: Settings) -> None:
    """Runs the bot until SIGTERM or SIGINT; a `ScarError` says why it cannot go on."""
    settings.required("telegram_token")
    warnings.filterwarnings("ignore", category=PTBDeprecationWarning)
    asyncio.run(until_stopped(_run(settings)))


async def _run(settings: Settings) -> None:
    services = bootstrap(settings)
    bot = make_bot(settings)
    chat = TelegramChat(bot)
    actor = Actor("console", "telegram", "SCAR's Telegram bot")
    client = ApiClient(
        settings.api_url, lambda: service_token(services.signatures, actor, time.time())
    )
    try:
        await _introduce(bot)
        chat.bot_name = bot.username
        _log.info("listening", bot=f"@{bot.username}")
        await TelegramBot(bot, services, Conversation(chat, services, client)).run()
    finally:
        await bot.shutdown()


def make_bot(settings: Settings) -> Bot:
    """The bot of the settings; nothing is sent yet."""
    return Bot(
        settings.required("telegram_token"),
        base_url=f"{settings.telegram_api_url}/bot",
        base_file_url=f"{settings.telegram_api_url}/file/bot",
        request=HTTPXRequest(
            connection_pool_size=16,
            connect_timeout=10,
            read_timeout=20,
            write_timeout=20,
            pool_timeout=20,
        ),
        get_updates_request=HTTPXRequest(
            connection_pool_size=1, connect_timeout=10, read_timeout=15
        ),
    )


async def _introduce(bot: Bot) -> None:
    """Asks Telegram who we are, for as long as that takes, and tells it our commands."""
    commands = [BotCommand(command.word, command.summary) for command in all_commands()]
    while True:
        try:
            await bot.initialize()
            await bot.delete_webhook(drop_pending_updates=False)
            await bot.set_my_commands(commands)
        except InvalidToken as error:
            raise _bad_token() from error
        except BadRequest as error:
            raise ScarError(
                "internal",
                f"Telegram refuses the bot's commands: {error}",
                "This is a mistake in SCAR.",
            ) from error
        except TelegramError as error:
            _log.warning("Telegram cannot be reached", reason=str(error))
            await asyncio.sleep(wait_of(error))
        else:
            return
