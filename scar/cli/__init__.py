"""The shell command `scar`."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from scar.errors import ScarError
from scar.settings import SettingsError

WRONG_SETTINGS = os.EX_CONFIG
_MODULES = {
    "up": "up",
    "api": "parts",
    "telegram": "parts",
    "github": "parts",
    "worker": "parts",
    "chat": "chat",
    "doctor": "doctor",
    "init": "init",
}
_REFUSED = ("unauthorized", "forbidden", "busy", "conflict")
_MISUSED = ("invalid_request", "project_not_found", "job_not_found", "not_found")


class Shell(click.Group):
    """Imports the module of the command that was called and no other: they are large."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Every command; the ones that make a job come from the command language."""
        jobs = [str(command.name) for command in import_module("scar.cli.jobs").COMMANDS]
        return sorted({*_MODULES, *jobs})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name."""
        module = import_module(f"scar.cli.{_MODULES.get(cmd_name, 'jobs')}")
        found: list[click.Command] = [c for c in module.COMMANDS if c.name == cmd_name]
        return found[0] if found else None


@click.group(cls=Shell, context_settings={"help_option_names": ["-h", "--help"]})
def scar() -> None:
    """Runs Docker Compose projects: status, logs, restart and deploy, live in one message."""


def main() -> None:
    """The entry point: a failure is two sentences and an exit code, never a traceback."""
    try:
        scar()
    except ScarError as error:
        print(f"scar: {error.message}\n{error.hint}", file=sys.stderr)
        sys.exit(exit_code(error))


def exit_code(error: ScarError) -> int:
    """2 usage, 3 the API cannot be reached, 4 refused, 78 settings, else 1."""
    if isinstance(error, SettingsError):
        return WRONG_SETTINGS
    if error.code == "api_unreachable":
        return 3
    if error.code in _REFUSED:
        return 4
    return 2 if error.code in _MISUSED else 1
