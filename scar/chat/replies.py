"""Interprets replies to a job's message: `logs`, `again` or `rollback` mean that job or its
project.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import structlog

from scar.chat.context import ChatContext
from scar.chat.front_end import IncomingMessage
from scar.chat.message_book import MessageBook
from scar.errors import ScarError
from scar.jobs.record import Job

_OF_PROJECT = frozenset(
    (
        *("status", "logs", "follow", "stats", "diff", "history"),
        *("restart", "deploy", "rollback", "lock", "unlock"),
    )
)
_OF_JOB = frozenset(("again", "cancel"))
_MOST_WORDS = 2
_OPTIONS = ("grep", "since")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Replies:
    """Turns a reply into the command that it abbreviates."""

    context: ChatContext
    book: MessageBook

    async def resolve(self, incoming: IncomingMessage) -> IncomingMessage:
        """Return the message with its command in full. A command in a reply is for the job's
        project, unless it names another. A text that is no command is returned unchanged.
        """
        if incoming.reply_to is None or incoming.tag is not None:
            return incoming
        try:
            job = await self._job_at(incoming, incoming.reply_to)
        except ScarError as error:
            _log.info("reply not understood", reason=error.message)
            return incoming
        if job is None or job.request.project is None:
            return incoming
        text = meant_by(incoming.text, job.id)
        return replace(incoming, text=text, project=job.request.project)

    async def _job_at(self, incoming: IncomingMessage, reference: str) -> Job | None:
        open_message = self.book.at(incoming.place, reference)
        if open_message is not None:
            return open_message.job
        id = await asyncio.to_thread(self.book.shown.job_of, incoming.place, reference)
        ledger = self.context.services.ledger
        return await asyncio.to_thread(ledger.get, id) if id else None


def meant_by(text: str, job_id: str) -> str:
    """Return `/docker_logs 20` for `logs 20` and `/docker_again ID` for `again`; any other text,
    which is talk between people, is returned unchanged.
    """
    words = text.split()
    word = words[0].lower() if words else ""
    if word in _OF_JOB and len(words) == 1:
        return f"/docker_{word} {job_id}"
    is_short = len(words) <= _MOST_WORDS or any(option in words for option in _OPTIONS)
    if word in _OF_PROJECT and is_short:
        return " ".join((f"/docker_{word}", *words[1:]))
    return text
