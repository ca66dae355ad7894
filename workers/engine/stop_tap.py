"""A socket to the Engine that says when a container is about to be stopped.

Compose does not say when it stops a container, and what the Engine reports comes after the signal.
It therefore talks to the Engine through this socket: everything is passed on as it is, and a call
that stops a container waits until `before_stop` has returned.
"""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

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
    """Provide the address of a socket that leads to the local Engine at `host`."""
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
            door.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts


class _Tap:
    def __init__(self, engine: str, before_stop: BeforeStop) -> None:
        self._engine = engine
        self._before_stop = before_stop

    def serve(self, door: socket.socket) -> None:
        """Pass connections on until the socket is shut down."""
        with suppress(OSError):
            while True:
                client, _ = door.accept()
                Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as engine:
            try:
                engine.connect(self._engine)
            except OSError as refused:
                _log.warning("the Engine is not reached", reason=str(refused))
                return
            back = Thread(target=_pump, args=(engine, client, lambda _: None), daemon=True)
            back.start()
            _pump(client, engine, self._look)
            back.join()

    def _look(self, data: bytes) -> None:
        """Look for the call in what Compose sends. A client sends the next request once it has the
        answer to the one before, so that each begins what is received.
        """
        if call := _STOP.match(data):
            self._before_stop(call[1].decode())


def _pump(source: socket.socket, target: socket.socket, look: Callable[[bytes], None]) -> None:
    """Pass on what comes until the source has no more."""
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            look(data)
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
