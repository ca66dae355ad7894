"""Asks a port of this machine over new connections, and keeps what was not answered."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType

_PATIENCE = 30.0


class NewConnections:
    """A new connection every so many seconds, from construction until `stop`.

    `made` are all, `failed` what came instead of a page, `slowest` the seconds of the slowest.
    """

    def __init__(self, port: int, every: float) -> None:
        self._address = ("127.0.0.1", port)
        self._every = every
        self._end = threading.Event()
        self.made = 0
        self.failed: list[str] = []
        self.slowest = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(self._every):
            self.made += 1
            begun = time.monotonic()
            answer = self._answer()
            self.slowest = max(self.slowest, time.monotonic() - begun)
            if b" 200 " not in answer:
                self.failed.append(answer.decode("latin-1"))

    def _answer(self) -> bytes:
        try:
            with socket.create_connection(self._address, timeout=_PATIENCE) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return connection.recv(64)
        except OSError as error:
            return repr(error).encode()

    def stop(self) -> None:
        """End, once the last one was answered."""
        self._end.set()
        self._thread.join()

    def __enter__(self) -> NewConnections:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
