"""The interface between the conversation and a front-end, as docs/front-ends.md describes it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from scar.access import Actor
from scar.document import Attachment, Document
from scar.jobs.event import Event


@dataclass(frozen=True)
class Place:
    """Where a message stands: a chat, and a thread in it where the chat has threads."""

    chat: str
    thread: str | None = None

    @property
    def key(self) -> str:
        """The place as one text, which `of_key` reads."""
        return json.dumps([self.chat, self.thread])

    @classmethod
    def of_key(cls, key: str) -> Place:
        """Read a `key`; raises `ValueError` or `TypeError` where it is none."""
        return cls(*json.loads(key))


@dataclass(frozen=True)
class IncomingMessage:
    """Something that a person wrote or tapped. `sent_at` is seconds since the epoch.

    Of a tapped button, `text` is the button's answer and `tag` the tag of the message it stands
    under. `number` is the position of a written message in its chat, where the chat counts its
    messages. `key` is an idempotency key: what arrives twice under one key is done once. `stale`
    says that the message arrived while the front-end was down. `project` is the project that the
    place is about, where it is about one. `private` says that nobody but SCAR reads the place, so
    that what is no command is for SCAR too.
    """

    actor: Actor
    place: Place
    text: str
    sent_at: float
    tag: str | None = None
    number: int | None = None
    key: str | None = None
    stale: bool = False
    project: str | None = None
    private: bool = False


@dataclass(frozen=True)
class SentMessage:
    """A message that was sent: its reference, and when, in seconds, by the place's own clock."""

    reference: str
    at: float


class Undelivered(Exception):
    """A message could not be sent or edited.

    `retry_after` is the seconds after which to try again; None where that would be of no use.
    `gone` says that the message to edit no longer exists, so that a new one may replace it.
    """

    def __init__(self, reason: str, retry_after: float | None, *, gone: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.gone = gone


class FrontEnd(Protocol):
    """What the conversation needs of a front-end. A failure is raised as `Undelivered`."""

    name: str
    bot_name: str | None

    def fit(self, document: Document) -> Document:
        """Return what one message can show of the document; the rest goes into its attachment."""

    async def send(self, place: Place, document: Document, tag: str) -> SentMessage:
        """Send a message, without its attachment. Its buttons have to give back `tag`."""

    async def edit(self, place: Place, reference: str, document: Document, tag: str) -> float:
        """Show `document` in a message sent before; the same content again is no error.

        Returns when, in seconds, by the place's own clock.
        """

    async def attach(self, place: Place, reference: str, attachment: Attachment) -> None:
        """Send a file that belongs to a message sent before."""

    def interval(self, place: Place) -> float:
        """Return the least number of seconds between two edits in that place."""


class EventSource(Protocol):
    """Where the events of jobs are read from."""

    def follow(self, id: str, after: int = 0) -> AsyncIterator[Event]:
        """Yield the events that follow the event `after`, until the job has ended."""
