"""Compose's socket to the Engine: everything passes, and a stop waits."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import eventually
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


def is_closed(address: str) -> bool:
    try:
        connection_to(address).close()
    except ConnectionRefusedError:
        return True
    return False


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


def test_a_stop_is_not_passed_on_once_compose_has_ended(engine: str) -> None:
    looking, ended = threading.Event(), threading.Event()

    def before_stop(_container: str) -> None:
        looking.set()
        assert ended.wait(60)

    with stop_tap(engine, before_stop) as address:
        with connection_to(address) as compose:
            compose.sendall(STOP)
            assert looking.wait(60)
        ended.set()
    assert STOP not in Echo.received


def test_a_stop_ends_with_the_block_and_the_block_with_it(engine: str) -> None:
    looking = threading.Event()
    done: list[str] = []

    def before_stop(container: str) -> None:
        looking.set()
        eventually(lambda: is_closed(address))
        done.append(container)

    with contextlib.ExitStack() as stack:
        with stop_tap(engine, before_stop) as address:
            compose = stack.enter_context(connection_to(address))  # outlives the block
            compose.sendall(STOP)
            assert looking.wait(60)
        assert done == ["abc123"]
        assert compose.recv(65536) == b""
    assert STOP not in Echo.received


def test_a_stop_is_passed_on_where_what_comes_before_it_fails(engine: str) -> None:
    def before_stop(_container: str) -> None:
        raise LookupError

    with stop_tap(engine, before_stop) as address, connection_to(address) as compose:
        compose.sendall(STOP)
        assert compose.recv(65536) == b"got " + STOP
