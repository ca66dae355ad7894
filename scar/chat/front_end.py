"""What the conversation and a front-end say to each other; docs/front-ends.md tells it whole."""

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
        """The reverse of `key`."""
        return cls(*json.loads(key))


@dataclass(frozen=True)
class IncomingMessage:
    """Something that a person said or tapped. `sent_at` is seconds since the epoch.

    `button` is the job and the plan that a tapped button stood under; `number` the message's place
    in its chat, where the chat counts its messages. `key` tells it from everything else that was
    ever said: what is incoming twice under one key is done once. `stale` says that it came while
    the front-end was down. `project` is the one that the place is about, where it is about one.
    """

    actor: Actor
    place: Place
    text: str
    sent_at: float
    button: tuple[str, str] | None = None
    number: int | None = None
    key: str | None = None
    stale: bool = False
    project: str | None = None


@dataclass(frozen=True)
class SentMessage:
    """A message that was sent: its reference, and when, in seconds, by the place's own clock."""

    reference: str
    at: float


class Undelivered(Exception):
    """A message could not be sent or edited; `retry_after` seconds, or None: never.

    `gone` says that the message to edit is no longer there, so that another can take its place.
    """

    def __init__(self, reason: str, retry_after: float | None, *, gone: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.gone = gone


class FrontEnd(Protocol):
    """All that a front-end is to the conversation. What cannot be done raises `Undelivered`."""

    name: str
    bot_name: str | None

    def fit(self, document: Document) -> Document:
        """The document as one message holds it: what is too long goes into its attachment."""

    async def send(self, place: Place, document: Document, tag: str) -> SentMessage:
        """Sends a message, without its attachment. `tag` goes with its buttons."""

    async def edit(self, place: Place, reference: str, document: Document, tag: str) -> float:
        """Shows `document` in a message sent before; the same content again is no error.

        Returns when, in seconds, by the place's own clock.
        """

    async def attach(self, place: Place, reference: str, attachment: Attachment) -> None:
        """Sends a file that belongs to a message sent before."""

    def interval(self, place: Place) -> float:
        """The least seconds between two edits in that place."""


class Events(Protocol):
    """Where a job's events are read from."""

    def follow(self, id: str, after: int = 0) -> AsyncIterator[Event]:
        """The events that follow `after`, until the job has ended."""
