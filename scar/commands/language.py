"""From what somebody typed to what they meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from scar.commands.command import AnyCommand
from scar.errors import ScarError, nearest

NAME = "scar"
"""What SCAR is called by, besides the name of its account."""

AGENT = "agent"
"""The command that is meant where SCAR is called by its name."""

_CALLED = re.compile(r"@([A-Za-z0-9_-]+)[,:]?(?:\s+(.*)|$)", re.DOTALL)
_JOB = "job_"


class Answer(Enum):
    """What a person says to a question."""

    YES = auto()
    NO = auto()


@dataclass(frozen=True)
class ParsedCommand:
    """A command and the words that followed it."""

    command: AnyCommand
    words: tuple[str, ...]


class Language:
    """Finds a command or an answer in a text."""

    def __init__(self, commands: tuple[AnyCommand, ...]) -> None:
        self._by_word: Mapping[str, AnyCommand] = {c.word: c for c in commands}

    def understand(
        self, text: str, *, bot_name: str | None = None
    ) -> ParsedCommand | Answer | None:
        """A command, an answer, or None for talk that is not for SCAR.

        `/word@name` is for the bot of that name alone; `@scar words`, or `@name words`, is an
        instruction for the coding agent. A command that does not exist raises `invalid_request`,
        with the nearest one.
        """
        stripped = text.strip()
        if stripped.lower() in ("yes", "no"):
            return Answer[stripped.upper()]
        called = _CALLED.match(stripped)
        if called:
            if called[1].lower() not in (NAME, (bot_name or NAME).lower()):
                return None
            stripped = (called[2] or "").strip()
            if not stripped.startswith("/"):
                return self._spoken(AGENT, stripped)
        if not stripped.startswith("/"):
            return None
        first = stripped.split(None, 1)[0]
        rest = stripped[len(first) :]
        word, at, name = first[1:].partition("@")
        if at and (bot_name is None or name.lower() != bot_name.lower()):
            return None
        if word.lower().startswith(_JOB):  # what a phone makes a link of
            return self._spoken("job", word[len(_JOB) :])
        return self._spoken(word, rest)

    def _spoken(self, word: str, rest: str) -> ParsedCommand:
        command = self._by_word.get(word.lower())
        if command is None:
            hint = nearest(f"/{word}", [f"/{known}" for known in self._by_word])
            raise ScarError(
                "invalid_request",
                f"There is no command '/{word[:64]}'",
                f"{hint} /help lists what you can do here.".strip(),
            )
        if command.takes_text:
            return ParsedCommand(command, (rest.strip(),) if rest.strip() else ())
        first_line = rest.splitlines()[0] if rest else ""
        return ParsedCommand(command, tuple(first_line.split()))
