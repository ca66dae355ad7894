"""A log that several follow is read once; whoever cannot have it so reads it by himself."""

from __future__ import annotations

import os
import socket
import struct
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from scar.errors import ScarError
from tests.support.waiting import PATIENCE, eventually
from workers.engine import shared_logs
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.followed_log import FollowedLog
from workers.engine.log_lines import MultiplexedLog
from workers.engine.log_position import LogPosition
from workers.engine.log_relay import LogRelay
from workers.engine.log_source import EngineSource
from workers.engine.relayed_log import KEPT_BYTES, RelayedLog, has_closed, terminal_messages
from workers.engine.shared_logs import SharedLogs

OLD, NEW = "o" * 64, "n" * 64


def message(second: int, text: str) -> bytes:
    """Return a message as the Engine sends it, of so many seconds past twelve."""
    at = f"2026-01-31T12:{second // 60:02d}:{second % 60:02d}.000000000Z"
    body = f"{at} {text}\n".encode()
    return struct.pack(">BxxxL", 1, len(body)) + body


class Source:
    """A log that the test controls: `chunks` once `begun` is set, then nothing until the end."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks
        self.begun, self.closed = threading.Event(), threading.Event()

    def read(self, seconds: float) -> bytes | None:
        if self._chunks and self.begun.wait(0.01):
            return self._chunks.pop(0)
        return b"" if self.closed.wait(min(seconds, 0.01)) else None

    def close(self) -> None:
        self.closed.set()


def test_what_is_kept_for_latecomers_is_bounded_whole_and_says_where_it_begins() -> None:
    bytes_ = b"".join(message(n, "x" * 10_000) for n in range(1000))
    cuts = [bytes_[n : n + 65_536] for n in range(0, len(bytes_), 65_536)]
    source = Source(cuts)
    log = RelayedLog.begin(source, "", tty=False)
    _, first = log.join()
    ours, theirs = socket.socketpair()
    taking = threading.Thread(target=first.send_all, args=(theirs,), daemon=True)
    taking.start()
    source.begun.set()
    received = 0
    while received < len(bytes_):
        received += len(ours.recv(1 << 20))
    since, late = log.join()
    kept = late.kept
    assert KEPT_BYTES - 2 * 65_536 < len(kept) <= KEPT_BYTES
    lines = MultiplexedLog().feed(kept)
    assert {len(line.text) for line in lines} == {10_000}
    assert lines[0].at[:19] == since[:19] or lines[0].at > since
    assert lines[-1].at.startswith("2026-01-31T12:16:39")
    log.leave(late)
    assert not source.closed.is_set()
    log.leave(first)
    assert source.closed.wait(PATIENCE)
    taking.join(PATIENCE)
    ours.close()
    theirs.close()


def test_a_follower_of_a_log_that_pauses_is_still_there() -> None:
    ours, theirs = socket.socketpair()
    theirs.settimeout(3)
    assert not has_closed(theirs)
    assert theirs.gettimeout() == 3
    ours.close()
    assert has_closed(theirs)
    theirs.close()


def test_the_log_of_a_terminal_is_cut_between_lines() -> None:
    text = b"2026-01-31T12:00:01.000000000Z a\r\n2026-01-31T12:00:02.000000000Z b\r\nrest"
    assert list(terminal_messages([text[:40], text[40:]])) == [
        (text[:34], "2026-01-31T12:00:01.000000000Z"),
        (text[34:-4], "2026-01-31T12:00:02.000000000Z"),
        (b"rest", ""),
    ]


def test_where_nobody_shares_there_is_no_shared_log(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 50)[:200] / "logs"
    assert SharedLogs(path).open(OLD, "") is None
    path.parent.mkdir()
    relay = LogRelay(Engine("unix:///nowhere/docker.sock"), path)
    relay.start()
    assert oct(os.stat(path).st_mode & 0o777) == "0o600"
    assert SharedLogs(path).open(OLD, "") is None  # the Engine is away
    relay.stop()
    eventually(lambda: SharedLogs(path).open(OLD, "") is None)


class Replaced:
    """An Engine where another container has taken the name of the one that was followed."""

    def inspect(self, id: str) -> Any:
        assert id == OLD
        raise ScarError("container_not_found", "gone", "")

    def all(self) -> list[Any]:
        return [SimpleNamespace(name="web", id=NEW, is_up=True)]


def test_a_container_that_was_replaced_meanwhile_is_followed_on(tmp_path: Path) -> None:
    """As where the worker of a follow was killed, and the container replaced before the next."""
    engine, containers = cast("Engine", None), cast("Containers", Replaced())
    log = FollowedLog(engine, containers, "web", SharedLogs(tmp_path / "logs"))
    position = LogPosition(OLD, "2026-01-31T12:00:00.000000000Z", 1)
    lines = next(log.lines(position, check=lambda: None))
    assert (lines.replaced, lines.position) == (True, LogPosition(NEW))


class HangingContainers:
    """An Engine that does not answer about one container until it is `released`."""

    def __init__(self) -> None:
        self.asked, self.released = threading.Event(), threading.Event()

    def inspect(self, id: str) -> Any:
        if id == OLD:
            self.asked.set()
            assert self.released.wait(2 * PATIENCE)
        return SimpleNamespace(tty=False)


def test_a_log_that_the_engine_does_not_begin_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_logs, "_ANSWER_SECONDS", PATIENCE)
    late, other = Source([]), Source([])
    sources = {OLD: late, NEW: other}
    monkeypatch.setattr(EngineSource, "open", lambda _, id, *__, **___: sources[id])
    path, hanging = tmp_path / "logs", HangingContainers()
    relay = LogRelay(cast("Engine", None), path)
    monkeypatch.setattr(relay, "_containers", hanging)
    relay.start()
    waiting = threading.Thread(target=SharedLogs(path).open, args=(OLD, ""), daemon=True)
    waiting.start()
    try:
        assert hanging.asked.wait(PATIENCE)
        log = SharedLogs(path).open(NEW, "")
        assert log is not None
        relay.stop()
        assert other.closed.wait(PATIENCE)
        log.close()
    finally:
        hanging.released.set()
    assert late.closed.wait(PATIENCE), "what begins after the stop ends"
    waiting.join(PATIENCE)
