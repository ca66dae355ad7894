"""The shell command `scar`: its subcommands, its errors and its exit codes.

Each module is imported when its command is called: a command should begin within half a second.
`scar.commands` and the settings take 0.2 s of that, `redis`, `rich` and the API would take 1.5 s.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from scar.errors import ScarError, nearest
from scar.settings import SettingsError

WRONG_SETTINGS = os.EX_CONFIG
_MODULES = {
    "up": "up",
    "api": "parts",
    "worker": "parts",
    "doctor": "doctor",
    "init": "init",
    "jobs": "job_list",
    "job": "job_list",
    "cancel": "job_list",
    "again": "again",
    **dict.fromkeys(("lock", "unlock", "audit", "projects", "reload"), "answers"),
    "keys": "keys",
    "page": "page",
}
_REFUSED = ("unauthorized", "forbidden", "busy", "conflict")
_MISUSED = ("invalid_request", "project_not_found", "job_not_found", "not_found")


class Shell(click.Group):
    """The click group of `scar`. It imports only the module of the command that is called,
    because importing all of them is slow.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return every command; those that make a job come from the command language."""
        return sorted({*_MODULES, *_front_ends(), *_job_kinds(), *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None where there is none."""
        if own := super().get_command(ctx, cmd_name):
            return own
        if cmd_name in _MODULES:
            return _one_of(_MODULES[cmd_name], cmd_name)
        if cmd_name in _job_kinds():
            made: click.Command | None = import_module("scar.cli.jobs").job_command(cmd_name)
            return made
        return _one_of("front_ends", cmd_name) if cmd_name in _front_ends() else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the named command; the error for an unknown one suggests the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if args[0].startswith("-"):
                raise
            hint = nearest(args[0], self.list_commands(ctx))
            raise click.UsageError(f"{error.message}{hint}", ctx) from error


def _one_of(module: str, name: str) -> click.Command | None:
    commands: tuple[click.Command, ...] = import_module(f"scar.cli.{module}").COMMANDS
    return next((command for command in commands if command.name == name), None)


def _front_ends() -> list[str]:
    registry = import_module("scar.registration.registry")
    return [spec.shell_command for spec in registry.front_ends()]


def _job_kinds() -> list[str]:
    return list(import_module("scar.commands").job_commands())


@click.group(cls=Shell, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="scar-docker", prog_name="scar")
def scar() -> None:
    """Runs Docker Compose projects: status, logs, restart and deploy, live in one message.

    \b
    Examples:
      scar status                 what runs in production
      scar logs shop/web 100      the last 100 lines of one container
      scar deploy shop            shows what would change, then asks for a yes
      scar doctor                 says what is missing, and how to mend it
    """


@scar.command()
def version() -> None:
    """The version of this program."""
    from importlib.metadata import version as version_of  # no other command needs it

    click.echo(f"scar, version {version_of('scar-docker')}")


def main() -> None:
    """Run the shell command; print a `ScarError` as two sentences, without a traceback."""
    # httpx would import its own command line, with rich and pygments, which takes 0.3 s.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    try:
        scar(prog_name="scar")
    except ScarError as error:
        shell_words = import_module("scar.cli.shell_words").shell_words
        print(shell_words(f"scar: {error.message}\n{error.hint}"), file=sys.stderr)
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
