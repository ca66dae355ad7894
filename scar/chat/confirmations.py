"""Matches a `yes` or `no` to the job whose question it answers.

An answer counts only if it comes from the person who may give it, is for the plan that was shown,
and was sent after the question.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

from scar.access import Actor
from scar.chat.context import ChatContext
from scar.chat.front_end import IncomingMessage, Place
from scar.chat.job_message import TAG_LENGTH, JobMessage
from scar.chat.message_book import MessageBook
from scar.chat.message_state import OpenQuestion
from scar.chat.sender import Sender
from scar.commands.command_parser import Answer
from scar.document import Document
from scar.errors import ScarError

ARRIVED_LATE = "That came while I was away, or took too long to reach me: nothing was done."
SEND_AGAIN = Document.of(f"⌛ {ARRIVED_LATE}", "💡 Send it again if you still want it.")
_NO_QUESTION = "There is nothing to confirm here."
_NOTHING_TO_CONFIRM = Document.of(f"🤷 {_NO_QUESTION}", "💡 Questions wait a minute; ask again.")


class Confirmations:
    """Confirms or cancels jobs by the `yes` and `no` of people in one front-end."""

    def __init__(self, context: ChatContext, book: MessageBook, sender: Sender) -> None:
        self._job_service = context.services.job_service
        self._book = book
        self._sender = sender

    async def answer(self, incoming: IncomingMessage, answer: Answer) -> str | None:
        """Apply an answer to the question it belongs to; return a short reply for a tapped
        button.
        """
        tapped = incoming.tag is not None
        message, question = await self._question_of(incoming)
        if message is None or question is None:
            if incoming.private and not tapped and not self._has_answered(incoming):
                self._sender.send(incoming.place, _NOTHING_TO_CONFIRM)
            return _NO_QUESTION if tapped else None
        if incoming.actor != message.opener:
            return f"Only {message.opener.name} can answer this."
        if incoming.stale or _written_before(incoming, message, question):
            if not tapped:
                self._sender.send(incoming.place, SEND_AGAIN)
            return ARRIVED_LATE
        if incoming.tag and _parts(incoming.tag)[1] != question.plan[:TAG_LENGTH]:
            return "The plan has changed; look at the new one."
        await self._confirm(incoming.actor, answer, message, question)
        return "Confirmed." if answer is Answer.YES else "Dropped."

    async def withdraw(self, actor: Actor, place: Place, *, except_of: str | None) -> None:
        """Cancel the actor's own jobs in a place that still await confirmation, except the job
        `except_of`.

        Jobs of other people that the actor displays there with `/job` are not cancelled.
        """
        for message in self._book.opened_by(actor, place):
            job = message.job
            own = job.request.requested_by == actor
            if message.unanswered and own and job.id != except_of:
                message.question = None
                # The job expired or was started at the same moment.
                with contextlib.suppress(ScarError):
                    await asyncio.to_thread(self._job_service.cancel, actor, job.id)

    async def _confirm(
        self, actor: Actor, answer: Answer, message: JobMessage, question: OpenQuestion
    ) -> None:
        """Confirm or cancel the job for the plan that was shown; if that fails, the question
        stays open.
        """
        message.question, message.answered_plan = None, question.plan
        confirm = partial(
            self._job_service.confirm, actor, message.job.id, answer.name, shown=question.plan
        )
        try:
            await asyncio.to_thread(confirm)
        except ScarError:
            message.question, message.answered_plan = question, None
            raise

    def _has_answered(self, incoming: IncomingMessage) -> bool:
        """Return whether the person has already confirmed an unfinished job in this place, so that
        this is a second answer to it.
        """
        messages = self._book.opened_by(incoming.actor, incoming.place)
        return any(message.answered_plan is not None for message in messages)

    async def _question_of(
        self, incoming: IncomingMessage
    ) -> tuple[JobMessage | None, OpenQuestion | None]:
        """Return the question whose button was tapped, or for a typed answer the latest question
        that the person may answer in this place.
        """
        if incoming.tag is None:
            messages = list(self._book.opened_by(incoming.actor, incoming.place))
            if incoming.reply_to is not None:  # a reply answers the message that it replies to
                messages = [one for one in messages if one.reference == incoming.reply_to]
        else:
            message = self._book.get(_parts(incoming.tag)[0], incoming.place)
            messages = [message] if message else []
        open_questions = [(m, q) for m in messages if (q := await m.sent_question())]
        return max(open_questions, key=lambda pair: pair[1].at, default=(None, None))


def _parts(tag: str) -> tuple[str, str]:
    """Return the job's id and the first characters of its plan's hash, which form the tag."""
    job_id, _, plan = tag.partition(":")
    return job_id, plan


def _written_before(incoming: IncomingMessage, message: JobMessage, question: OpenQuestion) -> bool:
    """Return whether an answer was sent before its question was shown.

    Platforms give times in whole seconds, so within the same second the numbers of the messages are
    compared.
    """
    if int(incoming.sent_at) < int(question.at):
        return True
    numbered = incoming.number is not None and (message.reference or "").isdigit()
    return numbered and (incoming.number or 0) < int(message.reference or 0)
