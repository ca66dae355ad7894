"""The chat of one front-end: commands, confirmations, and one message for each job.

A front-end passes in what people write (`Conversation.receive`), and implements sending and editing
messages (`FrontEnd`). Everything else is in this package, the same for every front-end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from scar.bootstrap import Services
from scar.chat.admission import Admission
from scar.chat.alert_messages import AlertMessages
from scar.chat.background_tasks import BackgroundTasks
from scar.chat.command_runner import CommandRunner
from scar.chat.confirmations import Confirmations
from scar.chat.context import ChatContext
from scar.chat.front_end import EventSource, FrontEnd, IncomingMessage
from scar.chat.listener import Listener
from scar.chat.menus import Menus
from scar.chat.message_book import MessageBook
from scar.chat.projects_file_notice import ProjectsFileNotice
from scar.chat.replies import Replies
from scar.chat.sender import Sender
from scar.commands import all_commands
from scar.commands.command_parser import CommandParser
from scar.errors import ScarError


class Conversation:
    """The interface of the chat for a front-end: every call that a front-end makes."""

    def __init__(
        self,
        front_end: FrontEnd,
        services: Services,
        events: EventSource,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        context = ChatContext(front_end, services, events, clock)
        self._finishing = context.finishing
        self._tasks = BackgroundTasks()
        sender = Sender(context, self._tasks)
        self._book = MessageBook(context, sender, self._tasks)
        menus = Menus(services.redis, services.signatures)
        confirmations = Confirmations(context, self._book, sender)
        runner = CommandRunner(context, self._book, sender, menus, confirmations)
        parser = CommandParser(all_commands())
        notice = ProjectsFileNotice(context, sender)
        admission = Admission(clock)
        self._alerts = AlertMessages(context, sender, self._tasks)
        self._listener = Listener(
            context,
            parser,
            sender,
            menus,
            confirmations,
            runner,
            notice,
            admission,
            self._alerts,
            Replies(context, self._book),
        )

    async def receive(self, incoming: IncomingMessage) -> str | None:
        """Handle a message or a tapped button; return a short reply for the person who tapped a
        button.
        """
        return await self._listener.receive(incoming)

    async def refuse(self, incoming: IncomingMessage, error: ScarError) -> None:
        """Reply that a message is refused, for a reason that only the front-end can check."""
        await self._listener.refuse(incoming, error)

    async def resume(self) -> None:
        """Resume editing the messages that an earlier process of this front-end had not
        finished.
        """
        await self._book.resume()

    async def follow_subscriptions(self) -> None:
        """Poll the subscriptions on Redis, and show the jobs that other processes subscribed
        this front-end to. Runs until cancelled.
        """
        await self._book.follow_subscriptions()

    async def follow_alerts(self) -> None:
        """Send alerts to the chats of this front-end. Runs until cancelled."""
        await self._alerts.follow()

    async def run(self, *works: Coroutine[Any, Any, None]) -> None:
        """Resume the unfinished messages, then run the coroutines `works` while polling the
        subscriptions and the alerts.

        Returns or raises with the first of these to end, or when cancelled; the others are then
        cancelled, and the conversation is closed.
        """
        await self.resume()
        own = self.follow_subscriptions(), self.follow_alerts()
        tasks = [asyncio.create_task(work) for work in (*own, *works)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await self.close()

    async def settle(self) -> None:
        """Wait until every message is sent and shows that its job has ended.

        Cancelling this call cancels no message.
        """
        await self._tasks.wait()

    async def close(self) -> None:
        """Stop following jobs, after the messages being sent now are sent and recorded. A later
        process continues the unfinished messages with `resume`.
        """
        await self._tasks.cancel()
        await self._finishing.wait()
