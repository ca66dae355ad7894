"""The server: gunicorn in this process, one worker with a thread for each watcher.

The arbiter holds the listening socket and little else; the application is loaded in its worker.
"""

from __future__ import annotations

import os
import signal
from socket import SO_RCVTIMEO, SOL_SOCKET
from struct import pack
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from scar.cli.parent_death import die_with_parent
from scar.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

_THREADS = 160
_READ_SECONDS = 5
_OPTIONS = {
    "workers": 1,
    "threads": _THREADS,
    "worker_connections": 1000,
    "timeout": 30,
    "graceful_timeout": 5,
    "keepalive": 15,
    "limit_request_line": 8190,
    "limit_request_fields": 100,
    "limit_request_field_size": 8190,
    "loglevel": "warning",
    "control_socket_disable": True,
    "proc_name": "scar-api",
}


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, which ends open event streams before it waits for requests.

    Without this, one watcher would hold a stop for the whole graceful timeout.
    """

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: on the worker's own thread, since a signal handler must take no lock."""
        self.method_queue.defer(self.app.stop)
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGQUIT and SIGINT: the process ends now; threads that wait would keep it."""
        self.app.stop()
        super().handle_quit(sig, frame)


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with the settings of SCAR instead of a command line."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: Flask | None = None
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn."""
        for name, value in _OPTIONS.items():
            self.cfg.set(name, value)
        self.cfg.set("bind", [self._settings.api_bind])
        self.cfg.set("worker_class", Worker)
        self.cfg.set("when_ready", _limit_reading)
        arbiter = os.getpid()
        # An orphan would keep the port, and the next server could not have it.
        self.cfg.set("post_fork", lambda _server, _worker: die_with_parent(arbiter, signal.SIGKILL))

    def load(self) -> Flask:
        """Called by gunicorn in the worker, after the fork: connections and threads are its own."""
        from scar.api.app import create_app
        from scar.bootstrap import bootstrap
        from scar.jobs.sweeper import Sweeper

        services = bootstrap(self._settings)
        self._app = create_app(services)
        Sweeper(services.ledger, services.queue).start()
        return self._app

    def stop(self) -> None:
        """Ends the open event streams."""
        if self._app is not None:
            self._app.extensions["scar"].events.close()


def _limit_reading(arbiter: Any) -> None:
    """gunicorn's threads wait for the rest of a request for ever; a connection takes over from its
    listener how long the kernel lets it wait (socket(7), SO_RCVTIMEO).
    """
    for listener in arbiter.LISTENERS:
        wait = pack("ll", _READ_SECONDS, 0)
        listener.sock.setsockopt(SOL_SOCKET, SO_RCVTIMEO, wait)


def serve(settings: Settings) -> None:
    """Serves the API at `settings.api_bind` until a signal ends the process.

    Settings that are missing are found here, before anything listens: `SettingsError`.
    """
    settings.signing_key()
    Server(settings).run()
