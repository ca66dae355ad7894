"""What SCAR says, free of any front-end's markup.

A command turns a job into a `Document`; a front-end turns the document into its own markup.
Text in a document is always plain text: whatever a log line or a name holds, it is shown, never
interpreted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Line:
    """One line of text, or several that belong together."""

    text: str


@dataclass(frozen=True)
class Code:
    """Text in which every character and line break counts: log lines, a diff."""

    text: str


@dataclass(frozen=True)
class Button:
    """A tap that says `answer` on behalf of whoever taps it.

    One with a `command` does that command instead, in the name of whoever taps it; `answer` is then
    a short word that tells it from the others of its message. A front-end without buttons shows the
    command.
    """

    label: str
    answer: str
    command: str | None = None


@dataclass(frozen=True)
class Attachment:
    """A text file that goes with the document: the whole of what is too long for a message."""

    name: str
    text: str


@dataclass(frozen=True)
class Document:
    """Everything that one message shows."""

    blocks: tuple[Line | Code, ...]
    buttons: tuple[Button, ...] = ()
    attachment: Attachment | None = None

    @classmethod
    def of(cls, *lines: str) -> Document:
        """A document of plain lines."""
        return cls(tuple(Line(line) for line in lines))

    def with_line(self, text: str) -> Document:
        """The document with one more line at its end."""
        return replace(self, blocks=(*self.blocks, Line(text)))

    def with_commands(self) -> Document:
        """The document with its buttons' commands as lines, for where nothing can be tapped."""
        lines = [f"{button.label}: {button.command}" for button in self.buttons if button.command]
        return self.with_line("\n".join(lines)) if lines else self

    @property
    def asks(self) -> bool:
        """Whether it waits for an answer, by one of its buttons or typed."""
        return any(button.command is None for button in self.buttons)

    @property
    def text(self) -> str:
        """The document as plain text, one block after the other."""
        return "\n".join(block.text for block in self.blocks)
