"""Runs the command that a person typed in a chat."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial

from scar.chat.alert_places import chat_name
from scar.chat.confirmations import Confirmations
from scar.chat.context import ChatContext
from scar.chat.front_end import IncomingMessage
from scar.chat.menus import MOST_CHOICES, Menus, menu_document, numbered
from scar.chat.message_book import MessageBook
from scar.chat.message_state import MessageState
from scar.chat.sender import Sender
from scar.commands.command import WhichProject
from scar.commands.command_parser import ParsedCommand
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.local_command import (
    CommandContext,
    LocalCommand,
    RepeatCommand,
    WindowCommand,
)
from scar.errors import ScarError
from scar.jobs.record import Job
from scar.jobs.subscriptions import Subscriber
from scar.projects import Project


@dataclass(frozen=True)
class CommandRunner:
    """Sends the reply of a local command, and opens a message for the job of any other command."""

    context: ChatContext
    book: MessageBook
    sender: Sender
    menus: Menus
    confirmations: Confirmations

    async def run(self, incoming: IncomingMessage, parsed: ParsedCommand) -> None:
        """Run a command. Whether it succeeds or not, the person's unconfirmed jobs in this place
        are cancelled, except the new one.
        """
        command, words = parsed.command, parsed.words
        job: Job | None = None
        state = MessageState()
        try:
            if isinstance(command, LocalCommand):
                await self._reply(incoming, command, words)
            elif isinstance(command, WindowCommand):
                state = MessageState(opener=incoming.actor)
                job = await self._open_window(incoming, command, words, state)
            elif isinstance(command, RepeatCommand):
                job = await asyncio.to_thread(self._repeat, incoming, command, words)
            else:
                job = await asyncio.to_thread(self._submit, incoming, command, words)
        except WhichProject as question:
            await self._offer(incoming, question)
        finally:
            await self.confirmations.withdraw(
                incoming.actor, incoming.place, except_of=job.id if job else None
            )
        if job and await self._is_to_be_shown(incoming, job):
            self.book.open(job, incoming.place, state)

    async def _reply(
        self, incoming: IncomingMessage, command: LocalCommand, words: tuple[str, ...]
    ) -> None:
        command_context, actor = self._command_context(incoming), incoming.actor
        try:
            reply = await asyncio.to_thread(command.reply, actor, words, command_context)
        except ScarError as error:
            await self.context.audit_refusal(actor, command.word, error.code)
            raise
        await self.context.audit(actor, command.word, "answered")
        tag = ""
        if reply.buttons:
            texts = [button.command or "" for button in reply.buttons]
            tag = await asyncio.to_thread(self.menus.offer, actor, incoming.place, texts)
            reply = numbered(reply)
        self.sender.send(incoming.place, reply, tag)

    async def _open_window(
        self,
        incoming: IncomingMessage,
        command: WindowCommand,
        words: tuple[str, ...],
        state: MessageState,
    ) -> Job:
        command_context, actor = self._command_context(incoming), incoming.actor
        job = await asyncio.to_thread(command.find, actor, words, command_context)
        await self.context.audit(actor, command.word, "answered")
        await self.book.subscribe(job, incoming.place, state)
        return job

    def _submit(
        self, incoming: IncomingMessage, command: JobCommand, words: tuple[str, ...]
    ) -> Job:
        services = self.context.services
        default = partial(self._default_project, incoming)
        invocation = command.parse(words, services.projects, default)
        return self._ask_for(incoming, invocation.command or command, invocation)

    def _repeat(
        self, incoming: IncomingMessage, command: RepeatCommand, words: tuple[str, ...]
    ) -> Job:
        context = self._command_context(incoming)
        return self._ask_for(incoming, *command.find(incoming.actor, words, context))

    def _ask_for(
        self, incoming: IncomingMessage, command: JobCommand, invocation: Invocation
    ) -> Job:
        return self.context.services.job_service.submit(
            incoming.actor,
            command,
            invocation.project,
            invocation.args,
            idempotency_key=incoming.key,
            subscriber=Subscriber(self.context.front_end.name, incoming.place.key),
        )

    async def _offer(self, incoming: IncomingMessage, question: WhichProject) -> None:
        texts = list(question.choices.values())[:MOST_CHOICES]
        tag = await asyncio.to_thread(self.menus.offer, incoming.actor, incoming.place, texts)
        menu = menu_document(f"❓ {question.message}", question.short)
        self.sender.send(incoming.place, menu, tag)

    async def _is_to_be_shown(self, incoming: IncomingMessage, job: Job) -> bool:
        """Return False for a message received twice whose job has already been shown until its
        end.
        """
        return incoming.key is None or await self.book.is_subscribed(job, incoming.place)

    def _command_context(self, incoming: IncomingMessage) -> CommandContext:
        default = partial(self._default_project, incoming)
        command_context = self.context.services.command_context
        chat = chat_name(self.context.front_end.name, incoming.place)
        return replace(command_context, default=default, private=incoming.private, chat=chat)

    def _default_project(self, incoming: IncomingMessage) -> Project:
        """Return the project that the place belongs to (such as a GitHub repository's), else the
        default project of the settings.
        """
        services = self.context.services
        of_place = services.projects.projects.get(incoming.project or "")
        return of_place or services.default_project()
