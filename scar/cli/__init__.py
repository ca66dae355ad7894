"""The shell command `scar`: its subcommands, its errors and its exit codes."""

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
    "worker": "parts",
    "doctor": "doctor",
    "init": "init",
}
_REFUSED = ("unauthorized", "forbidden", "busy", "conflict")
_MISUSED = ("invalid_request", "project_not_found", "job_not_found", "not_found")


class Shell(click.Group):
    """The click group of `scar`. It imports only the module of the command that is called,
    because importing all of them is slow.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands; those that create a job are taken from
        `scar.commands`.
        """
        jobs = [str(command.name) for command in import_module("scar.cli.jobs").COMMANDS]
        return sorted({*_modules(), *jobs})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command with this name, or None."""
        module = import_module(f"scar.cli.{_modules().get(cmd_name, 'jobs')}")
        commands: tuple[click.Command, ...] = module.COMMANDS
        return next((command for command in commands if command.name == cmd_name), None)


def _modules() -> dict[str, str]:
    """Return the module of each command that creates no job, by the command's name."""
    registry = import_module("scar.registration.registry")
    return {**{spec.shell_command: "front_ends" for spec in registry.front_ends()}, **_MODULES}


@click.group(cls=Shell, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="scar-docker", prog_name="scar")
def scar() -> None:
    """Runs Docker Compose projects: status, logs, restart and deploy, live in one message."""


def main() -> None:
    """Run the shell command; print a `ScarError` as message and hint, without a traceback."""
    try:
        scar()
    except ScarError as error:
        print(f"scar: {error.message}\n{error.hint}", file=sys.stderr)
        sys.exit(exit_code(error))


def exit_code(error: ScarError) -> int:
    """Return 2 (usage), 3 (the API cannot be reached), 4 (refused), 78 (settings), or else 1."""
    if isinstance(error, SettingsError):
        return WRONG_SETTINGS
    if error.code == "api_unreachable":
        return 3
    if error.code in _REFUSED:
        return 4
    return 2 if error.code in _MISUSED else 1
