"""Builds the command line of a project's coding agent."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from scar.errors import ScarError

_PLACEHOLDER = "{}"
_STANDARD_INPUT = "-"


@dataclass(frozen=True)
class AgentCommand:
    """The agent's arguments, which are executed without a shell, and the text for its standard
    input, if any.
    """

    words: tuple[str, ...]
    stdin: str | None = field(default=None, repr=False)


def agent_command(project: str, line: str | None, instruction: str) -> AgentCommand:
    """Return the command that passes `instruction` to the agent; `line` is the project's `agent`
    setting.

    The instruction replaces each word `{}`. Without such a word, it is written to standard input if
    the last word is `-`, and otherwise added as the last argument.

    Raises `project_invalid` if the project has no agent or its command line is invalid.
    """
    if not line:
        raise ScarError(
            "project_invalid",
            f"Project '{project}' has no coding agent",
            'Add one to its entry in the projects file, such as "agent": "claude -p '
            '--permission-mode acceptEdits".',
        )
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise _unusable(project, f"cannot be read: {error}") from error
    if not words or words in ([_STANDARD_INPUT], [_PLACEHOLDER]):
        raise _unusable(project, "names no program")
    if words[-1] == _STANDARD_INPUT:
        return AgentCommand(tuple(words[:-1]), instruction)
    # A leading space keeps the agent from parsing the instruction as an option.
    argument = f" {instruction}" if instruction.startswith("-") else instruction
    if _PLACEHOLDER in words:
        return AgentCommand(tuple(argument if word == _PLACEHOLDER else word for word in words))
    return AgentCommand((*words, argument))


def _unusable(project: str, reason: str) -> ScarError:
    return ScarError(
        "project_invalid",
        f"The command line of the agent of '{project}' {reason}",
        "Correct `agent` in the projects file; quotes are those of a shell.",
    )
