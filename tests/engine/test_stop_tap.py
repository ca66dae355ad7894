"""Compose's socket to the Engine: everything passes, and a stop waits."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.engine.stop_tap import stop_tap

STOP = b"POST /v1.51/containers/abc123/stop?t=10 HTTP/1.1\r\nHost: x\r\n\r\n"


class Echo(socketserver.StreamRequestHandler):
    """Sends back what it gets, and notes it."""

    received: list[bytes]

    def handle(self) -> None:
        while data := self.request.recv(65536):
            type(self).received.append(data)
            self.request.sendall(b"got " + data)


@pytest.fixture
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("e") / "s"
    Echo.received = []
    server = socketserver.ThreadingUnixStreamServer(str(path), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"unix://{path}"
    server.shutdown()
    server.server_close()


def connection_to(address: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(60)
    made.connect(address.removeprefix("unix://"))
    return made


def test_a_stop_is_passed_on_once_what_comes_before_it_is_done(engine: str) -> None:
    named: list[str] = []

    def before_stop(container: str) -> None:
        named.append(container)
        assert STOP not in Echo.received

    with stop_tap(engine, before_stop) as address, connection_to(address) as compose:
        for sent in (
            b"GET /_ping HTTP/1.1\r\n\r\n",
            STOP,
            b"POST /v1.51/containers/create\r\n\r\n",
        ):
            compose.sendall(sent)
            assert compose.recv(65536) == b"got " + sent
    assert named == ["abc123"]
    assert not Path(address.removeprefix("unix://")).parent.exists()
