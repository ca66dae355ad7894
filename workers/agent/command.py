"""The command line of a project's agent, with the instruction in it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from scar.errors import ScarError

_PLACE = "{}"
_STANDARD_INPUT = "-"


@dataclass(frozen=True)
class AgentCommand:
    """What is started: words, never a shell's. `said` is what it reads on its standard input."""

    words: tuple[str, ...]
    said: str | None = field(default=None, repr=False)


def agent_command(project: str, line: str | None, instruction: str) -> AgentCommand:
    """`line` as the projects file has it: the instruction is its last argument, or stands where
    the line says `{}`, or is read on standard input where the line ends with ` -`.

    Raises `project_invalid` where the project has no agent, or a line that is none.
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
        raise _no_command(project, f"cannot be read: {error}") from error
    if not words or words in ([_STANDARD_INPUT], [_PLACE]):
        raise _no_command(project, "names no program")
    if words[-1] == _STANDARD_INPUT:
        return AgentCommand(tuple(words[:-1]), instruction)
    # One that begins with a dash would be taken for an option of the agent.
    argument = f" {instruction}" if instruction.startswith("-") else instruction
    if _PLACE in words:
        return AgentCommand(tuple(argument if word == _PLACE else word for word in words))
    return AgentCommand((*words, argument))


def _no_command(project: str, what: str) -> ScarError:
    return ScarError(
        "project_invalid",
        f"The command line of the agent of '{project}' {what}",
        "Correct `agent` in the projects file; quotes are those of a shell.",
    )
