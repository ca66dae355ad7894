"""From what somebody typed to what they meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from scar.commands.command import JobCommand, LocalCommand
from scar.errors import ScarError, nearest


class Answer(Enum):
    """What a person says to a question."""

    YES = auto()
    NO = auto()


@dataclass(frozen=True)
class Spoken:
    """A command and the words that followed it."""

    command: JobCommand | LocalCommand
    words: tuple[str, ...]


class Language:
    """Finds a command or an answer in a text."""

    def __init__(self, commands: tuple[JobCommand | LocalCommand, ...]) -> None:
        self._by_word: Mapping[str, JobCommand | LocalCommand] = {c.word: c for c in commands}

    def understand(self, text: str, *, bot_name: str | None = None) -> Spoken | Answer | None:
        """A command, an answer, or None for talk that is not for SCAR.

        `/word@name` is for the bot of that name alone. A command that does not exist raises
        `invalid_request`, with the nearest one.
        """
        stripped = text.strip()
        if stripped.lower() in ("yes", "no"):
            return Answer[stripped.upper()]
        if not stripped.startswith("/"):
            return None
        first, *words = stripped.splitlines()[0].split()
        word, at, name = first[1:].partition("@")
        if at and (bot_name is None or name.lower() != bot_name.lower()):
            return None
        command = self._by_word.get(word.lower())
        if command is None:
            hint = nearest(f"/{word}", [f"/{known}" for known in self._by_word])
            raise ScarError(
                "invalid_request",
                f"There is no command '/{word[:64]}'",
                f"{hint} /help lists what you can do here.".strip(),
            )
        return Spoken(command, tuple(words))
