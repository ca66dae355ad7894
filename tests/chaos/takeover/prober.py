"""`python -m tests.chaos.takeover.prober HOST PORT ECHO_PORT`: asks until SIGTERM.

A hundred new connections a second to PORT, which has to answer HTTP, and fifty requests a second
over five connections to ECHO_PORT, which are opened again where they are cut.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial

_NEW_THREADS = 20
_NEW_EVERY = 0.2
_KEPT_THREADS = 5
_KEPT_EVERY = 0.1
_PATIENCE = 20.0
_SLOW = 0.05


@dataclass
class Answers:
    """`made` new connections; `failed` at a time (of the wall) and why; `slow` at a time, how long
    it took in seconds; `requests` over kept connections, `cut` at a time by connection.
    """

    made: int = 0
    requests: int = 0
    failed: list[tuple[float, str]] = field(default_factory=list)
    slow: list[tuple[float, float]] = field(default_factory=list)
    cut: list[tuple[float, int]] = field(default_factory=list)


def _connect(address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address, timeout=_PATIENCE)


class _Asking:
    """Threads that ask until `end` is set."""

    def __init__(self, host: str, port: int, echo_port: int) -> None:
        self.answers = Answers()
        self.end = threading.Event()
        self._site, self._echo = (host, port), (host, echo_port)
        works: list[Callable[[], None]] = [self._new] * _NEW_THREADS
        works += [partial(self._kept, number) for number in range(_KEPT_THREADS)]
        self._threads = [threading.Thread(target=work) for work in works]

    def run(self) -> Answers:
        for number, thread in enumerate(self._threads):
            thread.start()
            time.sleep(_NEW_EVERY / _NEW_THREADS if number < _NEW_THREADS else 0)
        print("ready", flush=True)
        for thread in self._threads:
            thread.join()
        return self.answers

    def _new(self) -> None:
        while not self.end.wait(_NEW_EVERY):
            at, begun = time.time(), time.monotonic()
            self.answers.made += 1
            try:
                with _connect(self._site) as connection:
                    connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    answer = connection.recv(64)
            except OSError as error:
                answer = repr(error).encode()
            if b" 200 " not in answer:
                self.answers.failed.append((at, answer.decode("latin-1")))
            if (took := time.monotonic() - begun) > _SLOW:
                self.answers.slow.append((at, round(took, 3)))

    def _kept(self, own: int) -> None:
        connection: socket.socket | None = None
        while not self.end.wait(_KEPT_EVERY):
            at = time.time()
            try:
                connection = connection or _connect(self._echo)
                connection.sendall(b"?")
                if connection.recv(1) != b"?":
                    raise ConnectionResetError
                self.answers.requests += 1
            except OSError:
                self.answers.cut.append((at, own))
                if connection is not None:
                    connection.close()
                connection = None


def main() -> int:
    """Ask, and print what was answered as one line of JSON."""
    asking = _Asking(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    signal.signal(signal.SIGTERM, lambda *_: asking.end.set())
    print(json.dumps(asdict(asking.run())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
