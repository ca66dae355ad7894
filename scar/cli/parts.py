"""`scar api`, `scar telegram`, `scar github`, `scar worker`: one part of SCAR in this process."""

from __future__ import annotations

import os
import sys

import click

from scar.log import configure
from scar.settings import Settings

_ROOT_WARNING = "You're running the worker with superuser privileges"


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
    from scar.frontends.telegram.bot import serve

    settings = Settings.load()
    configure(settings)
    serve(settings)


@click.command()
def github() -> None:
    """What answers comments and deploys pushes on GitHub."""
    from scar.frontends.github.bot import serve

    settings = Settings.load()
    configure(settings)
    serve(settings)


@click.command()
def worker() -> None:
    """What does the jobs of this host: the only part that needs the Docker socket."""
    settings = Settings.load()
    settings.signing_key()
    # The worker is Celery's own program; this one becomes it. That it runs as root, where it
    # does, is no news to whoever gave it the Docker socket.
    arguments = [
        *(sys.executable, "-W", f"ignore:{_ROOT_WARNING}", "-m", "celery", "--quiet"),
        *("-A", "workers", "worker", "-Q", f"host.{settings.host}", "--loglevel", "INFO"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    os.execv(arguments[0], arguments)


COMMANDS = (api, telegram, github, worker)
