"""Rewrites chat commands in messages as the shell commands that do the same."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

from scar.commands import all_commands
from scar.commands.command import Command
from scar.commands.job_command import JobCommand
from scar.document import Code, Document

_ONLY_IN_A_CHAT = ("help", "start", "docker_unfollow")
_HELP = "scar --help"


def shell_word(command: Command) -> str:
    """Return the subcommand of `scar` that does what `command` does in a chat."""
    return command.kind if isinstance(command, JobCommand) else command.word.removeprefix("docker_")


def shell_words(text: str) -> str:
    """Return `text` with `scar logs` for `/docker_logs`, and `scar job ID` for `/job_ID`."""
    text = re.sub(r"(?<![\w/.-])/job_(\w+)", r"scar job \1", text)
    text = re.sub(r"(?<![\w/.-])/(?:help|start)(?![\w/.-]*\w)", _HELP, text)
    return _pattern().sub(lambda match: f"scar {_names()[match[1]]}", text)


def for_shell(document: Document) -> Document:
    """Return the document with the commands of the shell. Code blocks, which are text from outside,
    are unchanged.
    """
    blocks = tuple(
        block if isinstance(block, Code) else replace(block, text=shell_words(block.text))
        for block in document.blocks
    )
    return replace(document, blocks=blocks)


@cache
def _names() -> dict[str, str]:
    commands = (c for c in all_commands() if c.word not in _ONLY_IN_A_CHAT)
    return {"docker_unfollow": "cancel", **{c.word: shell_word(c) for c in commands}}


@cache
def _pattern() -> re.Pattern[str]:
    """Return a pattern that matches the commands, but no part of a path: neither `/srv/jobs` nor
    `/jobs/x`.
    """
    words = "|".join(sorted(map(re.escape, _names()), key=len, reverse=True))
    return re.compile(rf"(?<![\w/.-])/({words})(?![\w/-]|\.\w)")
