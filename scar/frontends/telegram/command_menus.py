"""Sets the menu of commands that Telegram shows to each person: those that the person may use."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog
from telegram import Bot, BotCommand, BotCommandScopeChat, BotCommandScopeChatMember
from telegram.error import TelegramError

from scar.access import Access, Actor, Role
from scar.chat.front_end import IncomingMessage
from scar.commands import all_commands
from scar.projects import ProjectsFile

_Seen = tuple[str, Actor]
_log = structlog.get_logger(__name__)


class CommandMenus:
    """Sets the menus of the people who have written to this process, and again when their roles
    change. Strangers see the default menu.
    """

    def __init__(self, bot: Bot, access: Access, projects: ProjectsFile) -> None:
        self._bot = bot
        self._access = access
        self._projects = projects
        self._roles: dict[_Seen, Role | None] = {}
        self._refreshing = asyncio.Lock()

    async def refresh(self, incoming: IncomingMessage) -> None:
        """Set the menu of the message's author in this chat, and the menus of all people whose role
        has changed.
        """
        async with self._refreshing:
            self._roles.setdefault((incoming.place.chat, replace(incoming.actor, role=None)), None)
            projects = list(self._projects.projects.values())
            for seen, known in list(self._roles.items()):
                role = self._access.highest_role(seen[1], projects)
                if role != known and await self._set(*seen, role):
                    self._roles[seen] = role
                if self._roles[seen] is None and role is None:
                    del self._roles[seen]  # a stranger: there may be any number of them

    async def _set(self, chat: str, actor: Actor, role: Role | None) -> bool:
        """Set one menu; return False if Telegram did not accept it, so that it is tried again."""
        scope = (
            BotCommandScopeChat(int(chat))
            if chat == actor.id
            else BotCommandScopeChatMember(int(chat), int(actor.id))
        )
        try:
            if role is None:
                await self._bot.delete_my_commands(scope=scope)
            else:
                await self._bot.set_my_commands(menu_of(role), scope=scope)
        except TelegramError as error:
            _log.info("menu not set", reason=str(error))
            return False
        return True


def menu_of(role: Role) -> list[BotCommand]:
    """Return the commands of a role, in the order of `/help`."""
    return [BotCommand(c.word, c.summary) for c in all_commands() if c.role <= role]
