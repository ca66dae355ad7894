"""The API server: gunicorn, run in this process, with one gevent worker process.

In the worker each connection is a greenlet, so that an open event stream, a long poll or a slow
client costs a few kilobytes instead of a thread. gunicorn monkey-patches the standard library in
the worker only, after the fork and before the application is loaded. Its arbiter process, which
does little but hold the listening socket, is not patched.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import IPPROTO_TCP, TCP_USER_TIMEOUT, socket
from typing import TYPE_CHECKING, Any

import gevent  # type: ignore[import-untyped]
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

from scar.api.connections import Client, WaitingClients
from scar.keys.key_store import API, key_pair
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
    # How long a connection may be idle, and how long the head of a request may take to arrive. With
    # the 5 s of the body, no client without a token holds a place for more than 15 s.
    "keepalive": 10,
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
        self._clients: WaitingClients = self.app.clients

    def handle(self, listener: Any, client: socket, addr: Any) -> None:
        """Serve a connection until it is closed; gunicorn calls this in a greenlet of its own."""
        # The kernel closes the connection if the client acknowledges no data for this long.
        client.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, _STALLED_MS)
        address = addr[0] if isinstance(addr, tuple) else ""
        with self._clients.connection(Client(address, client)):
            super().handle(listener, client, addr)

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Limit how long to wait for the headers of a connection's next request; gunicorn calls
        this.

        The connection is closed where the limit is reached, and at once after a stop. A client that
        has to give way to another gets an error response.
        """
        seconds = self.cfg.keepalive if self.alive else 0
        with (
            gevent.Timeout(seconds, False) as limit,
            self._clients.waiting(limit, ends_at_stop=True) as wait,
        ):
            yield
        if wait.gave_way:
            _tell_to_come_back(wait.client.socket)

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
        self._clients.stop()


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn's application class, configured by SCAR's settings instead of a command line."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.clients = WaitingClients()
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
        from scar.api.role_changes import RoleChanges
        from scar.bootstrap import bootstrap
        from scar.jobs.sweeper import Sweeper

        services = bootstrap(self._settings, API)
        self._app = create_app(services, self._body_deadline)
        Sweeper(services.ledger, services.queue).start()
        RoleChanges(services.redis, services.projects, services.audit).start()
        return self._app

    @contextmanager
    def _body_deadline(self) -> Iterator[None]:
        """Limit the wait for a request's body."""
        from werkzeug.exceptions import TooManyRequests

        from scar.api.resource import SlowBodyError

        end = TooManyRequests("Too many requests whose body is awaited")
        with (
            gevent.Timeout(_BODY_SECONDS, SlowBodyError),
            self.clients.waiting(end, ends_at_stop=False),
        ):
            yield

    def stop(self) -> None:
        """Close all open event streams."""
        if self._app is not None:
            self._app.extensions["scar"].events.close()


def _tell_to_come_back(client: socket) -> None:
    """Send an error response to a client whose request is incomplete, before its connection is
    closed.
    """
    from scar.api.connections import MOST_OF_ADDRESS
    from scar.api.errors import problem

    answer = problem(
        429,
        "too_many_requests",
        f"More than {MOST_OF_ADDRESS} connections of one address wait with an unfinished request",
        "Send requests as a whole, over fewer connections.",
    )
    answer.headers["Connection"] = "close"
    head = f"HTTP/1.1 {answer.status}\r\n{answer.headers}".encode("latin-1")
    with gevent.Timeout(1, False), suppress(OSError):
        client.sendall(head + answer.get_data())


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
    key_pair(settings, API)
    Server(settings).run()
