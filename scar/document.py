"""The content of a chat message, independent of any front-end's markup.

A command renders a job as a `Document`, and a front-end renders the document in its own markup.
Text in a document is always plain text: whatever it contains is displayed and never interpreted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol


@dataclass(frozen=True)
class Line:
    """One line of text, or several lines that are displayed as one block."""

    text: str


@dataclass(frozen=True)
class Code:
    """Preformatted text, such as log lines or a diff. With `folded`, a front-end that can do so
    shows only its beginning at first.
    """

    text: str
    folded: bool = False


class Mood(Enum):
    """What a button does: something that is hard to undo, something good, or neither."""

    PLAIN = "plain"
    DANGER = "danger"
    GOOD = "good"


@dataclass(frozen=True)
class Button:
    """A button. A tap sends `answer`; with a `command`, it runs the command as the person who
    tapped.

    With a `command`, `answer` is a short word that is unique among the buttons of the message. A
    front-end without buttons shows the command as text. `mood` says what a tap leads to. With
    `copies`, a tap only copies that text, if the front-end can do that.
    """

    label: str
    answer: str
    command: str | None = None
    mood: Mood = Mood.PLAIN
    copies: str | None = None

    @property
    def is_answer(self) -> bool:
        """Whether a tap answers a question, and nothing else."""
        return self.command is None and self.copies is None


@dataclass(frozen=True)
class Link:
    """A link to SCAR's page or bot, shown below the message. Text from outside is never turned into
    a link.
    """

    label: str
    url: str


@dataclass(frozen=True)
class Attachment:
    """A text file sent with the document: the full text of what a message is too short for."""

    name: str
    text: str


class Picture(Protocol):
    """A picture sent with the document. Pictures are equal if they show the same. The document's
    text has the same content, for front-ends without pictures.
    """

    @property
    def name(self) -> str:
        """The name of its file."""

    def png(self) -> bytes:
        """Draw it, which takes a fraction of a second."""


@dataclass(frozen=True)
class Document:
    """The content of one message."""

    blocks: tuple[Line | Code, ...]
    buttons: tuple[Button, ...] = ()
    attachment: Attachment | None = None
    picture: Picture | None = None
    links: tuple[Link, ...] = ()

    @classmethod
    def of(cls, *lines: str) -> Document:
        """Return a document of plain text lines."""
        return cls(tuple(Line(line) for line in lines))

    def with_line(self, text: str) -> Document:
        """Return the document with one more line at its end."""
        return replace(self, blocks=(*self.blocks, Line(text)))

    def with_picture(self, picture: Picture | None) -> Document:
        """Return the document with this picture."""
        return replace(self, picture=picture)

    def with_links(self, links: tuple[Link, ...]) -> Document:
        """Return the document with these links."""
        return replace(self, links=links)

    def with_buttons(self, *buttons: Button) -> Document:
        """Return the document with more buttons at the end."""
        return replace(self, buttons=(*self.buttons, *buttons))

    def with_commands(self) -> Document:
        """Return the document with the commands of its buttons as a last line, for front-ends
        without buttons.
        """
        lines = [f"{button.label}: {button.command}" for button in self.buttons if button.command]
        return self.with_line("\n".join(lines)) if lines else self

    @property
    def files(self) -> bool:
        """Whether a file or picture is sent with the message's text."""
        return self.attachment is not None or self.picture is not None

    @property
    def asks(self) -> bool:
        """Whether the document asks a question that a button or a typed word can answer."""
        return any(button.is_answer for button in self.buttons)

    @property
    def text(self) -> str:
        """The document as plain text, one or more lines for each block."""
        return "\n".join(block.text for block in self.blocks)
