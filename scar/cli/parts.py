"""`scar api`, `scar telegram`, `scar worker`: one part of SCAR in this process."""

from __future__ import annotations

import os
import sys

import click

from scar.log import configure
from scar.settings import Settings


@click.command()
def api() -> None:
    """The HTTP API, the event streams and the documentation."""
    from scar.api.server import serve

    settings = Settings.load()
    configure(settings)
    serve(settings)


@click.command()
def telegram() -> None:
    """The Telegram bot."""
    from scar.frontends.telegram import serve

    settings = Settings.load()
    configure(settings)
    serve(settings)


@click.command()
def worker() -> None:
    """What does the jobs of this host: the only part that needs the Docker socket."""
    settings = Settings.load()
    settings.signing_key()
    # The worker is Celery's own program; this one becomes it.
    arguments = [
        *(sys.executable, "-m", "celery", "-A", "workers", "worker"),
        *("-Q", f"host.{settings.host}", "--loglevel", "INFO"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    os.execv(arguments[0], arguments)


COMMANDS = (api, telegram, worker)
