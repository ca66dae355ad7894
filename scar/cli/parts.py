"""`scar api`, `scar worker`: run one part of SCAR in this process."""

from __future__ import annotations

import os
import sys

import click

from scar.cli.port import require_free_port
from scar.settings import Settings
from scar.settings.state_folder import keep_private

_PORT_SECONDS = 10.0
"""How long to wait for the port of an API that was killed."""

_ROOT_WARNING = "You're running the worker with superuser privileges"


@click.command()
def api() -> None:
    """The HTTP API, the event streams and the documentation."""
    from scar.api.server import serve
    from scar.log import configure

    settings = Settings.load()
    settings.keep_private()
    require_free_port(settings, patience=_PORT_SECONDS)
    configure(settings)
    serve(settings)


@click.command()
def worker() -> None:
    """What does the jobs of this host.

    It is the only part that needs the Docker socket.
    """
    from scar.keys.key_store import key_pair, worker_part

    settings = Settings.load()
    keep_private(settings.state_dir)
    key_pair(settings, worker_part(settings.host))
    # This process becomes Celery's own program. Celery warns if it runs as root. The worker may
    # have to, and access to the Docker socket amounts to root anyway.
    arguments = [
        *(sys.executable, "-W", f"ignore:{_ROOT_WARNING}", "-m", "celery", "--quiet"),
        *("-A", "workers", "worker", "-Q", f"host.{settings.host}", "--loglevel", "INFO"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    os.execv(arguments[0], arguments)


COMMANDS = (api, worker)
