"""Interprets what people write or tap, checks their permission, and passes it on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from scar.access import Role
from scar.access.rate_limit import Excess
from scar.chat.admission import Admission, too_fast
from scar.chat.alert_messages import AlertMessages
from scar.chat.bake_message import UNDO, undo_command
from scar.chat.command_runner import CommandRunner
from scar.chat.confirmations import ARRIVED_LATE, SEND_AGAIN, Confirmations
from scar.chat.context import ChatContext
from scar.chat.front_end import IncomingMessage
from scar.chat.job_view import view_job
from scar.chat.menus import Menus
from scar.chat.projects_file_notice import ProjectsFileNotice
from scar.chat.replies import Replies
from scar.chat.sender import Sender
from scar.commands.command_parser import Answer, CommandParser, ParsedCommand
from scar.commands.notices import refusal
from scar.document import Document
from scar.errors import ScarError
from scar.jobs.bake import BakeBook
from scar.redaction import clean

_OLDEST_SECONDS = 60.0
_AUDITED_LENGTH = 64
_ONLY_COMMANDS = Document.of(
    "🤖 I only know commands: /docker_status, /docker_logs, /docker_deploy, ...",
    "💡 /help lists what you can do here.",
)
_NO_OFFER = "That is no longer on offer here."


@dataclass(frozen=True)
class Listener:
    """Passes commands to the `CommandRunner` and answers to `Confirmations`; refuses strangers."""

    context: ChatContext
    parser: CommandParser
    sender: Sender
    menus: Menus
    confirmations: Confirmations
    runner: CommandRunner
    notice: ProjectsFileNotice
    admission: Admission
    alerts: AlertMessages
    replies: Replies

    async def receive(self, incoming: IncomingMessage) -> str | None:
        """Handle a message or a tapped button; return a short reply for the person who tapped a
        button.
        """
        incoming = await self.replies.resolve(incoming)
        if self._is_for_scar(incoming) and (excess := self._excess(incoming)):
            return await self._refuse_excess(incoming, excess)
        try:
            return await self._interpret(incoming)
        except ScarError as error:
            if incoming.tag is None:
                self.sender.send(incoming.place, refusal(error.record()))
            return error.message

    async def refuse(self, incoming: IncomingMessage, error: ScarError) -> None:
        """Reply that a message is refused, for a reason that only the front-end can check."""
        if excess := self._excess(incoming):
            await self._refuse_excess(incoming, excess)
            return
        await self._audit_refusal(incoming, error.code)
        self.sender.send(incoming.place, refusal(error.record()))

    async def _interpret(self, incoming: IncomingMessage) -> str | None:
        if incoming.tag is not None and incoming.text not in ("yes", "no"):
            return await self._take_offer(incoming)
        is_known = self._knows(incoming)
        bot_name = self.context.front_end.bot_name
        try:
            meaning = self.parser.parse(incoming.text, bot_name=bot_name)
        except ScarError:
            if not is_known:
                await self._refuse_stranger(incoming)
            raise
        if meaning is None:
            await self._answer_talk(incoming, is_known=is_known)
            return None
        if isinstance(meaning, Answer):
            if not is_known and (incoming.tag is not None or incoming.private):
                await self._refuse_stranger(incoming)
            return await self.confirmations.answer(incoming, meaning)
        if not is_known:
            await self._refuse_stranger(incoming)
        elif incoming.sent_at < self.context.clock() - _OLDEST_SECONDS:
            self.sender.send(incoming.place, SEND_AGAIN)
        else:
            await self._run(incoming, meaning)
        return None

    def _knows(self, incoming: IncomingMessage) -> bool:
        services = self.context.services
        projects = services.projects.projects.values()
        return services.access.highest_role(incoming.actor, projects) is not None

    def _is_for_scar(self, incoming: IncomingMessage) -> bool:
        """Return whether the message is addressed to SCAR. Messages that people write to each other
        do not count against their limit.
        """
        if incoming.private or incoming.tag is not None:
            return True
        try:
            meaning = self.parser.parse(incoming.text, bot_name=self.context.front_end.bot_name)
        except ScarError:
            return True
        if isinstance(meaning, Answer):
            return self._knows(incoming)
        return meaning is not None

    def _excess(self, incoming: IncomingMessage) -> Excess | None:
        return self.admission.excess(incoming, is_known=self._knows(incoming))

    async def _refuse_excess(self, incoming: IncomingMessage, excess: Excess) -> str | None:
        """Refuse a message above the limit; only the first refusal is answered and audited."""
        error = too_fast(excess)
        if excess.first:
            await self._audit_refusal(incoming, error.code)
            if incoming.tag is None:
                self.sender.send(incoming.place, refusal(error.record()))
        return error.message if incoming.tag is not None else None

    async def _run(self, incoming: IncomingMessage, parsed: ParsedCommand) -> None:
        answer = ""
        try:
            await self.runner.run(incoming, parsed)
        except ScarError as error:
            answer = error.message
            raise
        finally:
            self.notice.tell(incoming, word=parsed.command.word, answer=answer)

    async def _answer_talk(self, incoming: IncomingMessage, *, is_known: bool) -> None:
        """Answer a text that is no command, but only in a private chat, where it must be meant for
        SCAR.
        """
        is_fresh = incoming.sent_at >= self.context.clock() - _OLDEST_SECONDS
        is_talk = not incoming.text.strip().startswith("/")  # in a group it may be for another bot
        if not incoming.private or not incoming.text.strip() or not (is_talk and is_fresh):
            return
        if not is_known:
            await self._refuse_stranger(incoming)
        self.sender.send(incoming.place, _ONLY_COMMANDS)

    async def _take_offer(self, incoming: IncomingMessage) -> str | None:
        """Run the command that a tapped button stands for, as if the person who tapped had typed
        it.

        The button belongs to an open menu, an ended job or an alert; otherwise the returned reply
        says that it is no longer valid.
        """
        if incoming.stale:
            return ARRIVED_LATE
        if not self._knows(incoming):  # a tap marks the alert as seen, so that it is not repeated
            await self._refuse_stranger(incoming)
        text = await asyncio.to_thread(self.menus.take, incoming)
        if text is None:
            text = await asyncio.to_thread(self._offer_of_job, incoming)
        if text is None:
            text = await self.alerts.offer(incoming)
        if text is None:
            return _NO_OFFER
        await self._interpret(replace(incoming, text=text, tag=None))
        return None

    def _offer_of_job(self, incoming: IncomingMessage) -> str | None:
        """Return the command that a button under a job's message offers."""
        services = self.context.services
        job = services.ledger.get((incoming.tag or "").partition(":")[0])
        command = services.job_service.commands.get(job.request.kind) if job else None
        if job is None or command is None or job.awaits_answer:
            return None
        if incoming.text == UNDO:
            bake = BakeBook(services.redis, services.signatures).of(job)
            return undo_command(bake) if bake else None
        buttons = view_job(command, job).buttons
        return next((b.command for b in buttons if b.answer == incoming.text), None)

    async def _refuse_stranger(self, incoming: IncomingMessage) -> None:
        """Write the refusal into the audit trail, then raise `unauthorized`."""
        await self._audit_refusal(incoming, "unauthorized")
        self.context.services.access.require(incoming.actor, Role.VIEWER, None)

    async def _audit_refusal(self, incoming: IncomingMessage, code: str) -> None:
        first_word = "".join(clean(incoming.text).split()[:1])[:_AUDITED_LENGTH]
        await self.context.audit_refusal(incoming.actor, first_word, code)
