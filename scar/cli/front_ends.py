"""`scar telegram`, `scar github`, `scar chat`, ...: run one front-end in this process."""

from __future__ import annotations

import click

from scar.log import configure
from scar.registration.registry import front_ends
from scar.registration.spec import FrontendSpec
from scar.settings import Settings


def _command(spec: FrontendSpec) -> click.Command:
    def run() -> None:
        settings = Settings.load()
        configure(settings)
        spec.serve(settings)

    return click.Command(spec.shell_command, callback=run, help=spec.summary)


COMMANDS = tuple(map(_command, front_ends()))
