"""`scar telegram`: groups, topics and private chats, by long polling of the Bot API.

Telegram considers an update confirmed when the next poll asks for later ones, so an update is
confirmed only after it was handled. After a kill, the bot receives it again; the update's
idempotency key keeps it from being handled twice.
"""

from __future__ import annotations

import asyncio
import warnings

import structlog
from telegram import Bot, BotCommand, CallbackQuery, Update
from telegram.constants import ReactionEmoji
from telegram.error import BadRequest, Conflict, InvalidToken, TelegramError
from telegram.request import HTTPXRequest
from telegram.warnings import PTBDeprecationWarning

from scar.bootstrap import Services, bootstrap
from scar.chat.background_tasks import BackgroundTasks
from scar.chat.conversation import Conversation
from scar.chat.front_end import IncomingMessage
from scar.client import ApiClient, tls
from scar.commands import all_commands
from scar.commands.command_parser import CommandParser, ParsedCommand
from scar.commands.job_command import JobCommand
from scar.errors import ScarError
from scar.frontends.signals import run_until_signal
from scar.frontends.telegram.chat import TelegramChat, wait_of
from scar.frontends.telegram.command_menus import CommandMenus
from scar.frontends.telegram.render import beginning
from scar.frontends.telegram.settings import TelegramSettings
from scar.frontends.telegram.updates import incoming_message
from scar.redis_client import redis_errors
from scar.settings import Settings, SettingsError

_POLL_SECONDS = 30
_CONFLICTS = 3
_REMEMBERED_SECONDS = 2 * 86_400
_SPINNER_SECONDS = 2.0
_LONGEST_TOAST = 200
_log = structlog.get_logger(__name__)


class TelegramBot:
    """Polls the updates of one bot and passes them to the conversation."""

    def __init__(self, bot: Bot, services: Services, conversation: Conversation) -> None:
        self._bot = bot
        self._redis = services.redis
        self._conversation = conversation
        self._access = services.access
        self._projects = services.projects
        self._menus = CommandMenus(bot, services.access, services.projects)
        self._parser = CommandParser(all_commands())
        self._beside = BackgroundTasks()

    async def poll(self) -> None:
        """Poll until cancelled; raise if the token is invalid or if another process polls the
        same bot.
        """
        offset: int | None = None
        # Until the first empty response, updates are from the time before this process started.
        stale = True
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
                    await self._handle(update, stale=stale)
                    offset = update.update_id + 1
                stale = stale and bool(updates)

    async def _handle(self, update: Update, *, stale: bool) -> None:
        key = f"telegram:{self._bot.id}:{update.update_id}"
        incoming = incoming_message(update, key=key, stale=stale)
        if incoming is None or await self._is_handled(key):
            return
        if update.callback_query is None:
            if self._takes_long(incoming):
                self._beside.start(self._react(incoming))
            await self._conversation.receive(incoming)
            self._beside.start(self._menus.refresh(incoming))
        else:
            await self._receive_tap(incoming, update.callback_query)
        await self._remember(key)

    def _takes_long(self, incoming: IncomingMessage) -> bool:
        """Return whether a known person submits a job that is planned first, so that the question
        takes a while.
        """
        people = self._projects.projects.values()
        if incoming.stale or self._access.highest_role(incoming.actor, people) is None:
            return False
        try:
            meaning = self._parser.parse(incoming.text, bot_name=self._bot.username)
        except ScarError:
            return False
        command = meaning.command if isinstance(meaning, ParsedCommand) else None
        return isinstance(command, JobCommand) and command.asks

    async def _react(self, incoming: IncomingMessage) -> None:
        """Show that a message was received; a failure is only logged."""
        try:
            await self._bot.set_message_reaction(
                incoming.place.chat, incoming.number or 0, ReactionEmoji.EYES
            )
        except TelegramError as error:
            _log.info("no reaction", reason=str(error))

    async def _receive_tap(self, incoming: IncomingMessage, query: CallbackQuery) -> None:
        """Handle a tapped button. Answer the tap within two seconds, with the reply if it is
        ready, so that the button stops spinning.
        """
        receiving = asyncio.create_task(self._conversation.receive(incoming))
        done, _ = await asyncio.wait({receiving}, timeout=_SPINNER_SECONDS)
        reply = receiving.result() if done else None
        try:
            await query.answer(text=beginning(reply, _LONGEST_TOAST) if reply else None)
        # The tap is too old to be answered, or Telegram is unreachable.
        except TelegramError as error:
            _log.info("tap not answered", reason=str(error))
        await receiving

    async def _is_handled(self, key: str) -> bool:
        """Return whether an earlier process handled the update; False if Redis is unavailable,
        since handling the update then reports the error.
        """
        try:
            with redis_errors():
                return bool(await asyncio.to_thread(self._redis.exists, _handled(key)))
        except ScarError:
            return False

    async def _remember(self, key: str) -> None:
        try:
            with redis_errors():
                await asyncio.to_thread(self._redis.set, _handled(key), "1", ex=_REMEMBERED_SECONDS)
        except ScarError as error:
            _log.warning("update not noted", reason=error.message)


def serve(settings: Settings) -> None:
    """Run the bot until SIGTERM or SIGINT; raise `ScarError` if it cannot run."""
    settings.of(TelegramSettings).required("token")
    warnings.filterwarnings("ignore", category=PTBDeprecationWarning)
    run_until_signal(_run(settings))


async def _run(settings: Settings) -> None:
    services = bootstrap(settings, TelegramChat.name)
    bot = make_bot(settings.of(TelegramSettings))
    chat = TelegramChat(bot)
    client = ApiClient.for_service(settings.api_url, services.signatures)
    conversation = Conversation(chat, services, client)
    try:
        await _introduce(bot)
        chat.bot_name = bot.username
        await _introduce_to_others(services, bot.username)
        _log.info("listening", bot=f"@{bot.username}")
        await conversation.run(TelegramBot(bot, services, conversation).poll())
    finally:
        await bot.shutdown()


def make_bot(settings: TelegramSettings) -> Bot:
    """Return a client of the Bot API; it sends nothing before it is used."""
    options = {"verify": tls(settings.api_url)}
    return Bot(
        settings.required("token"),
        base_url=f"{settings.api_url}/bot",
        base_file_url=f"{settings.api_url}/file/bot",
        request=HTTPXRequest(
            connection_pool_size=16,
            connect_timeout=10,
            read_timeout=20,
            write_timeout=20,
            pool_timeout=20,
            httpx_kwargs=options,
        ),
        get_updates_request=HTTPXRequest(
            connection_pool_size=1, connect_timeout=10, read_timeout=15, httpx_kwargs=options
        ),
    )


async def _introduce(bot: Bot) -> None:
    """Read the bot's name and register SCAR's commands with Telegram; retry until both succeed."""
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


async def _introduce_to_others(services: Services, name: str) -> None:
    """Tell the other parts the bot's name; without it they only have no links to it."""
    try:
        await asyncio.to_thread(services.links.introduce, name)
    except ScarError as error:
        _log.warning("name of the bot not told", reason=error.message)


def _handled(key: str) -> str:
    return f"scar:heard:{key}"


def _bad_token() -> ScarError:
    return SettingsError(["SCAR_TELEGRAM_TOKEN: Telegram does not know this token"])


def _second_poller() -> ScarError:
    return ScarError(
        "conflict",
        "Another process polls Telegram with the same SCAR_TELEGRAM_TOKEN",
        "Stop it: one bot has one poller.",
    )
