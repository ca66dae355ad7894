"""Parses a typed text as a command or as an answer to a question."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum, auto

from scar.commands import AnyCommand
from scar.errors import ScarError

NAME = "scar"
"""The name by which people mention SCAR, besides the name of its account on the platform."""

AGENT = "agent"
"""The command to which `@scar INSTRUCTION` is parsed."""

_MENTION = re.compile(r"@([A-Za-z0-9_-]+)[,:]?(?:\s+(.*)|$)", re.DOTALL)
_PREFIX = "docker_"
_JOB_LINK = "job_"
"""`/job_<id>`, unlike `/job <id>`, is displayed as a link by Telegram, since it is one word. The
link `t.me/<bot>?start=job_<id>` sends `/start job_<id>`.
"""


class Answer(Enum):
    """The answer to a question: yes or no."""

    YES = auto()
    NO = auto()


@dataclass(frozen=True)
class ParsedCommand:
    """A command and the words after it."""

    command: AnyCommand
    words: tuple[str, ...]


class CommandParser:
    """Parses a text as one of the commands, or as an answer."""

    def __init__(self, commands: tuple[AnyCommand, ...]) -> None:
        self._by_word: Mapping[str, AnyCommand] = {c.word: c for c in commands}

    def parse(self, text: str, *, bot_name: str | None = None) -> ParsedCommand | Answer | None:
        """Return a command or an answer; None if the text is not addressed to SCAR.

        `/word@name` is addressed to the bot with that name only. `@scar words` and `@name words`
        are instructions for the coding agent.

        Raises `invalid_request` for an unknown command, with the most similar one in the hint.
        """
        stripped = text.strip()
        if stripped.lower() in ("yes", "no"):
            return Answer[stripped.upper()]
        mention = _MENTION.match(stripped)
        if mention:
            if mention[1].lower() not in (NAME, (bot_name or NAME).lower()):
                return None
            stripped = (mention[2] or "").strip()
            if not stripped.startswith("/"):
                return self._command(AGENT, stripped)
        if not stripped.startswith("/"):
            return None
        first = stripped.split(None, 1)[0]
        rest = stripped[len(first) :]
        word, at, name = first[1:].partition("@")
        if at and (bot_name is None or name.lower() != bot_name.lower()):
            return None
        if word.lower().startswith(_JOB_LINK):
            return self._command("job", word[len(_JOB_LINK) :])
        if word.lower() == "start" and rest.strip().lower().startswith(_JOB_LINK):
            return self._command("job", rest.strip()[len(_JOB_LINK) :])
        return self._command(word, rest)

    def _nearest(self, word: str) -> str:
        """Return a hint such as `Did you mean '/docker_logs'?`, also for `/logs`; an empty text if
        nothing is similar.
        """
        short = {known.removeprefix(_PREFIX): known for known in self._by_word}
        matches = get_close_matches(word.removeprefix(_PREFIX), short, n=1, cutoff=0.5)
        return f"Did you mean '/{short[matches[0]]}'?" if matches else ""

    def _command(self, word: str, rest: str) -> ParsedCommand:
        command = self._by_word.get(word.lower())
        if command is None:
            raise ScarError(
                "invalid_request",
                f"There is no command '/{word[:64]}'",
                f"{self._nearest(word.lower())} /help lists what you can do here.".strip(),
            )
        if command.takes_text:
            return ParsedCommand(command, (rest.strip(),) if rest.strip() else ())
        first_line = rest.splitlines()[0] if rest else ""
        return ParsedCommand(command, tuple(first_line.split()))
