"""The interface between the chat and a front-end, described in docs/front-ends.md."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from scar.access import Actor
from scar.document import Attachment, Document, Picture
from scar.jobs.event import Event


@dataclass(frozen=True)
class Place:
    """The position of a message: a chat, and a thread in it if the platform has threads."""

    chat: str
    thread: str | None = None

    @property
    def key(self) -> str:
        """The place as one text, the JSON of chat and thread; `of_key` parses it."""
        return json.dumps([self.chat, self.thread])

    @classmethod
    def of_key(cls, key: str) -> Place:
        """Return the place with this `key`; raise `ValueError` or `TypeError` if the text is not
        a key.
        """
        return cls(*json.loads(key))


@dataclass(frozen=True)
class IncomingMessage:
    """A message that a person wrote, or a button that was tapped. `sent_at` is in seconds since the
    epoch.

    Of a tapped button, `text` is the button's answer and `tag` the tag of the message it stands
    under. `number` is the position of a written message in its chat, where the chat counts its
    messages. `reply_to` is the reference of the message of SCAR's that it replies to. `key` is an
    idempotency key: what arrives twice under one key is done once. `stale` says that the message
    arrived while the front-end was down. `project` is the project that the place is about, where it
    is about one. `private` says that the person is alone with SCAR in the place, so that a text
    that is no command is for SCAR too.
    """

    actor: Actor
    place: Place
    text: str
    sent_at: float
    tag: str | None = None
    number: int | None = None
    reply_to: str | None = None
    key: str | None = None
    stale: bool = False
    project: str | None = None
    private: bool = False


@dataclass(frozen=True)
class SentMessage:
    """A message that was sent: the platform's reference to it, and the time in seconds by the
    platform's clock.
    """

    reference: str
    at: float


class Undelivered(Exception):
    """Sending or editing a message failed.

    `retry_after` is the number of seconds after which to retry; None if a retry cannot succeed.
    `gone` is True if the message to edit no longer exists, so that a new one may be sent instead.
    `unsure` is True if the platform may have received it all the same: the answer was lost.
    """

    def __init__(
        self,
        reason: str,
        retry_after: float | None,
        *,
        gone: bool = False,
        unsure: bool = False,
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.gone = gone
        self.unsure = unsure


class FrontEnd(Protocol):
    """The calls that a front-end implements for the chat. A failure is raised as `Undelivered`.

    `notify` is called at the end of a successful job if it took longer than `long_seconds`; None
    calls it never, for front-ends whose people watch the job anyway.
    """

    name: str
    bot_name: str | None
    long_seconds: float | None

    def fit(self, document: Document) -> Document:
        """Return the document shortened to what fits into one message, with the full text as its
        attachment.
        """

    async def send(self, place: Place, document: Document, tag: str) -> SentMessage:
        """Send a message without a sound, and without its attachment. A tap on one of its buttons
        must return `tag`.
        """

    async def notify(
        self, place: Place, document: Document, tag: str, *, reply_to: str | None
    ) -> SentMessage:
        """Send a message that makes a sound, in reply to an earlier one where that still exists."""

    async def edit(self, place: Place, reference: str, document: Document, tag: str) -> float:
        """Replace the content of a message by `document`; repeating the present content is not an
        error.

        Returns the time in seconds by the platform's clock.
        """

    async def attach(self, place: Place, reference: str, attachment: Attachment) -> None:
        """Send a file that belongs to an earlier message."""

    async def send_picture(self, place: Place, reference: str, picture: Picture) -> None:
        """Send a picture that belongs to an earlier message. A platform without pictures does
        nothing, since the message says the same in text.
        """

    def interval(self, place: Place) -> float:
        """Return the minimum number of seconds between two edits in this place."""


class EventSource(Protocol):
    """A source of jobs' events; the API client is one."""

    def follow(self, id: str, after: int = 0) -> AsyncIterator[Event]:
        """Yield the job's events that follow the event `after`, until the job has ended."""
