"""The commands: each Python file of this folder that defines `COMMAND` is one."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from scar.commands.job_command import JobCommand
from scar.commands.local_command import LocalCommand, RepeatCommand, WindowCommand

AnyCommand = JobCommand | LocalCommand | WindowCommand | RepeatCommand


@cache
def all_commands() -> tuple[AnyCommand, ...]:
    """Return the `COMMAND` of every file of this folder, in the order in which `/help` lists
    them.
    """
    modules = (import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__))
    commands: list[AnyCommand] = [m.COMMAND for m in modules if hasattr(m, "COMMAND")]
    return tuple(sorted(commands, key=lambda command: (command.role, command.rank, command.word)))


def job_commands() -> dict[str, JobCommand]:
    """Return the commands that create a job, by the job's kind."""
    return {c.kind: c for c in all_commands() if isinstance(c, JobCommand)}
