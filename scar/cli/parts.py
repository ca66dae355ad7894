"""`scar api`, `scar worker`: run one part of SCAR in this process."""

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
def worker() -> None:
    """What does the jobs of this host: the only part that needs the Docker socket."""
    settings = Settings.load()
    settings.signing_key()
    # Replaces this process by `celery`. Celery warns against running as root, but the worker may
    # need to, and access to the Docker socket is equivalent to root in any case.
    arguments = [
        *(sys.executable, "-W", f"ignore:{_ROOT_WARNING}", "-m", "celery", "--quiet"),
        *("-A", "workers", "worker", "-Q", f"host.{settings.host}", "--loglevel", "INFO"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    os.execv(arguments[0], arguments)


COMMANDS = (api, worker)
