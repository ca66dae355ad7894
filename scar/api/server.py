"""The server: gunicorn in this process, with one gevent worker.

In the worker each connection is a greenlet, so that an open event stream, a long poll or a slow
client costs a few kilobytes and no thread. gunicorn patches the standard library there, after the
fork and before it loads the application. The arbiter, which holds the listening socket and little
else, is not patched, nor is any other process of SCAR.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from socket import IPPROTO_TCP, TCP_USER_TIMEOUT, socket
from typing import TYPE_CHECKING, Any

import gevent  # type: ignore[import-untyped]
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

from scar.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

_BODY_SECONDS = 5
_STALLED_MS = 30_000
_OPTIONS = {
    "workers": 1,
    "worker_connections": 640,
    "timeout": 30,
    "graceful_timeout": 5,
    # How long a connection may be idle, and how long the head of a request may take to arrive.
    "keepalive": 15,
    "limit_request_line": 8190,
    "limit_request_fields": 100,
    "limit_request_field_size": 8190,
    "loglevel": "warning",
    "control_socket_disable": True,
    "proc_name": "scar-api",
}


class Worker(GeventWorker):  # type: ignore[misc]
    """gunicorn's gevent worker, which drops stalled clients and stops at once.

    gunicorn alone would wait the whole graceful timeout for one open event stream or one idle
    connection. An orphan needs nothing here: gunicorn's worker ends when its arbiter has died.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: dict[Any, gevent.Timeout] = {}

    def handle(self, listener: Any, client: socket, addr: Any) -> None:
        """Serve a connection until it is closed; called by gunicorn in a greenlet of its own."""
        # The kernel breaks the connection where the client acknowledges nothing for so long.
        client.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, _STALLED_MS)
        super().handle(listener, client, addr)

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Limit the wait for the head of a connection's next request; called by gunicorn.

        The connection is closed where the limit is reached, and at once after a stop.
        """
        greenlet = gevent.getcurrent()
        with gevent.Timeout(self.cfg.keepalive if self.alive else 0, False) as limit:
            self._waiting[greenlet] = limit
            try:
                yield
            finally:
                del self._waiting[greenlet]

    def handle_request(self, listener_name: Any, req: Any, sock: socket, addr: Any) -> None:
        """Answer a request; a client that has stopped reading the answer is no error."""
        try:
            super().handle_request(listener_name, req, sock, addr)
        except TimeoutError:
            self.log.info("Closed the connection of a client that stopped reading")
            raise StopIteration from None  # how gunicorn is told to close the connection

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: end event streams and idle connections, and others after the current answer."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._end_waits)  # a signal handler must not wait for a lock

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT and SIGQUIT: the same; gunicorn's own handler writes a traceback to stderr."""
        self.handle_exit(sig, frame)

    def _end_waits(self) -> None:
        self.app.stop()
        for greenlet, limit in list(self._waiting.items()):
            gevent.kill(greenlet, limit)  # as if the limit was reached


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
        self.cfg.set("pre_fork", _freeze_objects)

    def load(self) -> Flask:
        """Called by gunicorn in the worker, once it is patched.

        Nothing that opens a connection or starts a thread is imported before.
        """
        from scar.api.app import create_app
        from scar.api.resource import SlowBodyError
        from scar.api.role_changes import RoleChanges
        from scar.bootstrap import bootstrap
        from scar.jobs.sweeper import Sweeper

        services = bootstrap(self._settings)
        self._app = create_app(services, partial(gevent.Timeout, _BODY_SECONDS, SlowBodyError))
        Sweeper(services.ledger, services.queue).start()
        RoleChanges(services.redis, services.projects, services.audit).start()
        return self._app

    def stop(self) -> None:
        """End the open event streams."""
        if self._app is not None:
            self._app.extensions["scar"].events.close()


def _freeze_objects(_arbiter: Any, _worker: Any) -> None:
    """Keep the worker's garbage collector off the objects that it shares with the arbiter.

    The collector would write to them, and the kernel copy their pages (see `gc.freeze`): saves 7 MB
    of 89.
    """
    gc.collect()
    gc.freeze()


def serve(settings: Settings) -> None:
    """Serve the API at `settings.api_bind` until a signal ends the process.

    Missing settings raise `SettingsError` before anything listens.
    """
    settings.signing_key()
    Server(settings).run()
