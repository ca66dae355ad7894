"""The chat of one front-end: ask, confirm, follow, one message for each job.

A front-end hands in what people write (`Conversation.receive`) and can send and edit messages
(`FrontEnd`). Everything else is in this package, the same for every front-end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from scar.bootstrap import Services
from scar.chat.background_tasks import BackgroundTasks
from scar.chat.command_runner import CommandRunner
from scar.chat.confirmations import Confirmations
from scar.chat.context import ChatContext
from scar.chat.front_end import EventSource, FrontEnd, IncomingMessage
from scar.chat.listener import Listener
from scar.chat.menus import Menus
from scar.chat.message_book import MessageBook
from scar.chat.projects_file_notice import ProjectsFileNotice
from scar.chat.sender import Sender
from scar.commands import all_commands
from scar.commands.command_parser import CommandParser
from scar.errors import ScarError


class Conversation:
    """All that a front-end calls."""

    def __init__(
        self,
        front_end: FrontEnd,
        services: Services,
        events: EventSource,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        context = ChatContext(front_end, services, events, clock)
        self._tasks = BackgroundTasks()
        sender = Sender(context, self._tasks)
        self._book = MessageBook(context, sender, self._tasks)
        menus = Menus(services.redis, services.signatures)
        confirmations = Confirmations(context, self._book, sender)
        runner = CommandRunner(context, self._book, sender, menus, confirmations)
        parser = CommandParser(all_commands())
        notice = ProjectsFileNotice(context, sender)
        self._listener = Listener(context, parser, sender, menus, confirmations, runner, notice)

    async def receive(self, incoming: IncomingMessage) -> str | None:
        """Do what a person asks for; return the toast text for who tapped a button a button."""
        return await self._listener.receive(incoming)

    async def refuse(self, incoming: IncomingMessage, error: ScarError) -> None:
        """Say why a message is not acted on, for a reason that only the front-end can know."""
        await self._listener.refuse(incoming, error)

    async def resume(self) -> None:
        """Take up the messages that an earlier run of this front-end left open."""
        await self._book.resume()

    async def follow_subscriptions(self) -> None:
        """Show what other processes subscribe this front-end to, until cancelled."""
        await self._book.follow_subscriptions()

    async def run(self, *works: Coroutine[Any, Any, None]) -> None:
        """Take up the open messages, then run `works` and follow the subscriptions beside them.

        Ends with the first of these that fails, or cancelled; the others are cancelled then, and
        the conversation is closed.
        """
        await self.resume()
        tasks = [asyncio.create_task(work) for work in (self.follow_subscriptions(), *works)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await self.close()

    async def settle(self) -> None:
        """Wait until every message is sent and shows the end of its job.

        Cancelling the caller cancels no message.
        """
        await self._tasks.wait()

    async def close(self) -> None:
        """Stop following jobs; the next run takes the open messages up with `resume`."""
        await self._tasks.cancel()
