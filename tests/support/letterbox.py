"""A whole front-end: a message is a sheet of paper in a box, written over until its job ends."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from itertools import count

from scar.access import Actor
from scar.chat.conversation import Conversation
from scar.chat.front_end import IncomingMessage, Place, SentMessage
from scar.document import Attachment, Document, Picture


@dataclass
class LetterBox:
    """Keeps every version of every sheet that the conversation sends."""

    name: str = "console"
    bot_name: str | None = None
    long_seconds: float | None = 20.0
    sheets: dict[str, list[Document]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    notices: list[tuple[str, str | None]] = field(default_factory=list)
    enclosed: list[Attachment | Picture] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1))

    def fit(self, document: Document) -> Document:
        return document

    def interval(self, place: Place) -> float:  # noqa: ARG002
        return 0.05

    async def send(self, place: Place, document: Document, tag: str) -> SentMessage:
        reference = f"{next(self.numbers)}"
        return SentMessage(reference, await self.edit(place, reference, document, tag))

    async def notify(
        self, place: Place, document: Document, tag: str, *, reply_to: str | None
    ) -> SentMessage:
        self.notices.append((document.text, reply_to))
        return await self.send(place, document, tag)

    async def edit(self, place: Place, reference: str, document: Document, tag: str) -> float:  # noqa: ARG002
        self.sheets.setdefault(reference, []).append(document)
        self.tags[reference] = tag
        return time.time()

    async def attach(self, place: Place, reference: str, attachment: Attachment) -> None:  # noqa: ARG002
        self.enclosed.append(attachment)

    async def send_picture(self, place: Place, reference: str, picture: Picture) -> None:  # noqa: ARG002
        self.enclosed.append(picture)


@dataclass
class Writer:
    """A person at the letter box."""

    conversation: Conversation
    actor: Actor
    place: Place = field(default_factory=lambda: Place("box"))
    private: bool = False

    async def says(self, text: str) -> str | None:
        return await self.taps(text, None)

    async def taps(self, answer: str, tag: str | None) -> str | None:
        incoming = IncomingMessage(self.actor, self.place, answer, time.time(), tag=tag)
        return await self.conversation.receive(replace(incoming, private=self.private))
