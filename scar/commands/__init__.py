"""The command language: one file per command."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from scar.commands.command import AnyCommand, JobCommand


@cache
def all_commands() -> tuple[AnyCommand, ...]:
    """Every command of this folder, in the order in which `/help` lists them."""
    found: list[AnyCommand] = []
    for module in pkgutil.iter_modules(__path__):
        command = getattr(import_module(f"{__name__}.{module.name}"), "COMMAND", None)
        if command is not None:
            found.append(command)
    return tuple(sorted(found, key=lambda command: (command.role, command.rank, command.word)))


def job_commands() -> dict[str, JobCommand]:
    """The commands that make a job, by kind."""
    return {c.kind: c for c in all_commands() if isinstance(c, JobCommand)}
