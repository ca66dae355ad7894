"""`scar telegram`, `scar github`, `scar chat`, ...: run one front-end in this process."""

from __future__ import annotations

import click

from scar.registration.registry import front_ends
from scar.registration.spec import FrontendSpec
from scar.settings import Settings


def _command(spec: FrontendSpec) -> click.Command:
    def run() -> None:
        from scar.log import configure

        settings = Settings.load()
        settings.keep_private()
        configure(settings)
        spec.serve(settings)

    return click.Command(spec.shell_command, callback=run, help=spec.summary)


COMMANDS = tuple(map(_command, front_ends()))
