"""New connections to a port of this machine wait while what listens there is replaced."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.waiting import eventually
from workers.diversion.hold import HeldPort, Hold
from workers.diversion.hold_rules import native_queue, rules, xtables_queue

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "workers.diversion"]


class Site:
    """A server on a port of this machine that greets with its name, and can be replaced."""

    def __init__(self) -> None:
        self.port = 0
        self.start("old")

    def start(self, name: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self.port))
        self.port = self._socket.getsockname()[1]
        self._socket.listen(64)
        threading.Thread(target=self._greet, args=(self._socket, name), daemon=True).start()

    def stop(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def ask(self) -> str:
        """Open a connection; return what it is greeted with, or why it is not."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
                return connection.recv(16).decode()
        except OSError as failure:
            return type(failure).__name__

    def _greet(self, listening: socket.socket, name: str) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.sendall(name.encode())


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.stop()


@pytest.fixture
def hold(site: Site) -> Iterator[Callable[[float], subprocess.Popen[str]]]:
    """Starts the program for the site's port; returns once it holds."""
    tried = subprocess.run(
        [*PROGRAM, "try-hold"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tried.stdout.strip() != "able":
        pytest.skip(f"nothing can be held on this machine: {tried.stdout}")
    started: list[subprocess.Popen[str]] = []

    def start(seconds: float) -> subprocess.Popen[str]:
        work = Hold(f"scar_test_{os.urandom(6).hex()}", (HeldPort(site.port),), seconds)
        process = subprocess.Popen(
            [*PROGRAM, work.to_argument()], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def waiting(site: Site) -> Iterator[Callable[[], list[Future[str]]]]:
    """Opens three connections; returns once all of them wait in the kernel."""
    with ThreadPoolExecutor(3) as clients:

        def open_three() -> list[Future[str]]:
            asked = [clients.submit(site.ask) for _ in range(3)]
            eventually(lambda: waiting_for(site.port) >= 3, "three connections wait")
            assert not any(future.done() for future in asked)
            return asked

        yield open_three


def waiting_for(port: int) -> int:
    """Return how many connections to a local port are in the state SYN_SENT."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(f[3] == "02" and f[2].endswith(f":{port:04X}") for f in fields)


def last_line(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate(timeout=60)
    return printed.strip()


def test_connections_go_to_the_new_one_as_soon_as_it_answers(
    site: Site,
    hold: Callable[[float], subprocess.Popen[str]],
    waiting: Callable[[], list[Future[str]]],
) -> None:
    process = hold(60)
    site.stop()
    asked = waiting()
    site.start("new")
    assert [future.result() for future in asked] == ["new"] * 3
    assert last_line(process).startswith("held ")
    assert site.ask() == "new"


@pytest.mark.parametrize("signal", ["kill", "terminate"])
def test_no_connection_hangs_where_the_program_ends_in_the_middle(
    site: Site,
    hold: Callable[[float], subprocess.Popen[str]],
    waiting: Callable[[], list[Future[str]]],
    signal: str,
) -> None:
    process = hold(60)
    site.stop()
    asked = waiting()
    site.start("new")
    getattr(process, signal)()
    assert [future.result() for future in asked] == ["new"] * 3
    assert site.ask() == "new"


def test_what_does_not_come_back_is_given_up(
    site: Site, hold: Callable[[float], subprocess.Popen[str]]
) -> None:
    process = hold(1.0)
    site.stop()
    assert site.ask() == "ConnectionRefusedError"
    assert last_line(process).startswith("gave up ")
    site.start("new")


def test_a_rule_without_a_listener_lets_everything_through() -> None:
    assert native_queue(7).endswith(b"\x06\0\3\0\0\1\0\0")  # NFTA_QUEUE_FLAGS: bypass
    assert xtables_queue(7)[-8:] == b"\7\0\1\0\1\0\0\0"  # xt_NFQ_info_v2
    text = b"".join(m.attributes for m in rules("scar_t", [HeldPort(80)], 7, native_queue))
    assert text.count(b"queue\0") == 2  # of connections from outside, and of this host's own


def test_the_argument_of_a_hold_is_read_as_it_was_written() -> None:
    work = Hold("scar_t", (HeldPort(80), HeldPort(81, "10.0.0.5")))
    assert Hold.is_meant_by(work.to_argument())
    assert Hold.from_argument(work.to_argument()) == work
    spoilt = Hold("scar_t", (HeldPort(80, "not an address"),))
    with pytest.raises(ValueError, match="not an address"):
        Hold.from_argument(spoilt.to_argument())
