"""The API server: gunicorn, run in this process, with one gevent worker process.

In the worker each connection is a greenlet, so that an open event stream, a long poll or a slow
client costs a few kilobytes instead of a thread. gunicorn monkey-patches the standard library in
the worker only, after the fork and before the application is loaded. Its arbiter process, which
does little but hold the listening socket, is not patched.
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
    # Seconds that a connection may be idle, and that a request's headers may take to arrive.
    "keepalive": 15,
    "limit_request_line": 8190,
    "limit_request_fields": 100,
    "limit_request_field_size": 8190,
    "loglevel": "warning",
    "control_socket_disable": True,
    "proc_name": "scar-api",
}


class Worker(GeventWorker):  # type: ignore[misc]
    """gunicorn's gevent worker, changed to disconnect stalled clients and to stop at once.

    Unchanged, gunicorn would wait its whole graceful timeout for one open event stream or one idle
    connection. The worker ends by itself when its arbiter has died, as gunicorn implements it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: dict[Any, gevent.Timeout] = {}

    def handle(self, listener: Any, client: socket, addr: Any) -> None:
        """Serve a connection until it is closed; gunicorn calls this in a greenlet of its own."""
        # The kernel closes the connection if the client acknowledges no data for this long.
        client.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, _STALLED_MS)
        super().handle(listener, client, addr)

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Limit how long to wait for the headers of a connection's next request; gunicorn calls
        this.

        The connection is closed at the limit, and at once if the server is stopping.
        """
        greenlet = gevent.getcurrent()
        with gevent.Timeout(self.cfg.keepalive if self.alive else 0, False) as limit:
            self._waiting[greenlet] = limit
            try:
                yield
            finally:
                del self._waiting[greenlet]

    def handle_request(self, listener_name: Any, req: Any, sock: socket, addr: Any) -> None:
        """Serve one request. A client that disconnects during the response is not logged as an
        error.
        """
        try:
            super().handle_request(listener_name, req, sock, addr)
        except TimeoutError:
            self.log.info("Closed the connection of a client that stopped reading")
            raise StopIteration from None  # gunicorn closes the connection on this exception

    def handle_exit(self, sig: int, frame: Any) -> None:
        """On SIGTERM: close event streams and idle connections at once, others after their
        response.
        """
        super().handle_exit(sig, frame)
        # In a greenlet, because a signal handler must not wait for a lock.
        gevent.spawn(self._end_waits)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """On SIGINT and SIGQUIT: stop as on SIGTERM. gunicorn's own handler would print a
        traceback.
        """
        self.handle_exit(sig, frame)

    def _end_waits(self) -> None:
        self.app.stop()
        for greenlet, limit in list(self._waiting.items()):
            # Raises the greenlet's own timeout in it, as if its time was over.
            gevent.kill(greenlet, limit)


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn's application class, configured by SCAR's settings instead of a command line."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: Flask | None = None
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options; gunicorn calls this at its start."""
        for name, value in _OPTIONS.items():
            self.cfg.set(name, value)
        self.cfg.set("bind", [self._settings.api_bind])
        self.cfg.set("worker_class", Worker)
        self.cfg.set("pre_fork", _freeze_objects)

    def load(self) -> Flask:
        """Create the Flask application; gunicorn calls this in the worker, after monkey-patching.

        Modules that open connections or start threads are imported here, because they must not be
        imported before the patching.
        """
        from scar.api.app import create_app
        from scar.api.resource import SlowBodyError
        from scar.bootstrap import bootstrap
        from scar.jobs.sweeper import Sweeper

        services = bootstrap(self._settings)
        self._app = create_app(services, partial(gevent.Timeout, _BODY_SECONDS, SlowBodyError))
        Sweeper(services.ledger, services.queue).start()
        return self._app

    def stop(self) -> None:
        """Close all open event streams."""
        if self._app is not None:
            self._app.extensions["scar"].events.close()


def _freeze_objects(_arbiter: Any, _worker: Any) -> None:
    """Exclude objects that exist before the fork from the worker's garbage collection.

    The collector writes to every object it tracks, which makes the kernel copy memory pages shared
    with the arbiter (see `gc.freeze`). Saves 7 of 89 MB.
    """
    gc.collect()
    gc.freeze()


def serve(settings: Settings) -> None:
    """Serve the API at `settings.api_bind` until a signal ends the process.

    Missing settings raise `SettingsError` before anything listens.
    """
    settings.signing_key()
    Server(settings).run()
