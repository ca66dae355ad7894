"""A socket to the Engine that says when a container is about to be stopped.

Compose does not say when it stops a container, and what the Engine reports comes after the signal.
It therefore talks to the Engine through this socket: everything is passed on as it is, and a call
that stops a container waits until `before_stop` has returned. Where Compose has ended by then, the
container is not stopped: production may be on its way back to what it was.
"""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Condition, Thread

import structlog

from workers.engine.connection import socket_of

_STOP = re.compile(rb"POST (?:/v[0-9.]+)?/containers/([^/ ?]+)/stop[ ?]")
_CHUNK = 1 << 16
_WAITING = 64
_log = structlog.get_logger(__name__)

BeforeStop = Callable[[str], None]
"""Is called with the id of a container, in a thread of its own for each connection."""


@contextmanager
def stop_tap(host: str, before_stop: BeforeStop) -> Iterator[str]:
    """Provide the address of a socket that leads to the local Engine at `host`.

    After the block, no container is stopped through it, and no `before_stop` is running.
    """
    folders = tempfile.TemporaryDirectory(prefix="scar-")
    with folders as folder, socket.socket(socket.AF_UNIX) as door:
        path = str(Path(folder) / "engine.sock")
        door.bind(path)
        door.listen(_WAITING)
        tap = _Tap(socket_of(host), before_stop)
        Thread(target=tap.serve, args=(door,), daemon=True).start()
        try:
            yield f"unix://{path}"
        finally:
            tap.close(door)


class _Tap:
    def __init__(self, engine: str, before_stop: BeforeStop) -> None:
        self._engine = engine
        self._before_stop = before_stop
        self._stops = 0
        self._closed = False
        self._changed = Condition()

    def serve(self, door: socket.socket) -> None:
        """Pass connections on until the socket is shut down."""
        with suppress(OSError):
            while True:
                client, _ = door.accept()
                Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def close(self, door: socket.socket) -> None:
        """Let no stop begin any more; return once those that have begun are sent or dropped."""
        with self._changed:
            self._closed = True
            door.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            self._changed.wait_for(lambda: self._stops == 0)

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as engine:
            try:
                engine.connect(self._engine)
            except OSError as refused:
                _log.warning("the Engine is not reached", reason=str(refused))
                return
            back = Thread(target=_pump, args=(engine, client, client.sendall), daemon=True)
            back.start()
            _pump(client, engine, partial(self._send, client, engine))
            back.join()

    def _send(self, client: socket.socket, engine: socket.socket, data: bytes) -> None:
        """Send to the Engine what Compose has sent; raise `ConnectionAbortedError` instead where it
        is a stop and Compose has ended. A client sends the next request once it has the answer to
        the one before, so that each begins what is received.
        """
        call = _STOP.match(data)
        if call is None:
            engine.sendall(data)
            return
        with self._stop():
            self._look(call[1].decode())
            if self._closed or _has_closed(client):
                raise ConnectionAbortedError
            engine.sendall(data)

    @contextmanager
    def _stop(self) -> Iterator[None]:
        """Count a stop that has begun; raise `ConnectionAbortedError` where none may begin."""
        with self._changed:
            if self._closed:
                raise ConnectionAbortedError
            self._stops += 1
        try:
            yield
        finally:
            with self._changed:
                self._stops -= 1
                self._changed.notify_all()

    def _look(self, container: str) -> None:
        try:
            self._before_stop(container)
        except Exception:  # noqa: BLE001 (the stop is Compose's: nothing keeps it from happening)
            _log.exception("not told of a stop", container=container)


def _has_closed(client: socket.socket) -> bool:
    """Return whether a client that waits for an answer has closed its connection.

    The socket stays blocking, unlike in `relayed_log.has_closed`: another thread writes to it.
    """
    try:
        return not client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def _pump(source: socket.socket, target: socket.socket, send: Callable[[bytes], None]) -> None:
    """Send what comes until the source has no more, or it cannot be sent."""
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            send(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
