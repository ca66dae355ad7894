"""The shell command `scar`."""

from __future__ import annotations

import os
import sys

import click

from scar.cli import chat, doctor, init, jobs, parts, up
from scar.client import ApiUnreachable
from scar.errors import ScarError
from scar.settings import SettingsError

WRONG_SETTINGS = os.EX_CONFIG
_REFUSED = ("unauthorized", "forbidden", "busy", "conflict")
_MISUSED = ("invalid_request", "project_not_found", "job_not_found", "not_found")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def scar() -> None:
    """Runs Docker Compose projects: status, logs, restart and deploy, live in one message."""


for module in (up, parts, chat, jobs, doctor, init):
    for command in module.COMMANDS:
        scar.add_command(command)


def main() -> None:
    """The entry point: a failure is two sentences and an exit code, never a traceback."""
    try:
        scar(standalone_mode=True)
    except ScarError as error:
        print(f"scar: {error.message}\n{error.hint}", file=sys.stderr)
        sys.exit(exit_code(error))


def exit_code(error: ScarError) -> int:
    """2 usage, 3 the API cannot be reached, 4 refused, 78 settings, else 1."""
    if isinstance(error, SettingsError):
        return WRONG_SETTINGS
    if isinstance(error, ApiUnreachable):
        return 3
    if error.code in _REFUSED:
        return 4
    return 2 if error.code in _MISUSED else 1
