"""Following a container's log: several followers, and containers that end or are replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.engine.test_logs import run
from tests.support.compose_project import Project
from tests.support.waiting import PATIENCE, eventually
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.followed_log import FollowedLog
from workers.engine.log_position import LogPosition
from workers.engine.log_relay import LogRelay
from workers.engine.shared_logs import SharedLogs


class CountingEngine(Engine):
    """An Engine, and how many logs were asked for that do not end."""

    def __init__(self) -> None:
        super().__init__()
        self.follows = 0

    def stream(self, path: str, params: object, **more: object) -> object:  # type: ignore[override]
        if "/logs" in path and params["follow"]:  # type: ignore[index]
            self.follows += 1
        return super().stream(path, params, **more)  # type: ignore[arg-type]


class Follower:
    """Follows a log in a thread and collects its lines."""

    def __init__(self, engine: Engine, name: str, socket: Path, position: LogPosition) -> None:
        log = FollowedLog(engine, Containers(engine), name, SharedLogs(socket))
        self.texts: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(log, position))
        self._thread.start()

    def _run(self, log: FollowedLog, position: LogPosition) -> None:
        with suppress(KeyboardInterrupt):
            for lines in log.lines(position, check=self._check):
                self.texts += ["(replaced)"] if lines.replaced else []
                self.texts += [line.text for line in lines.new]

    def _check(self) -> None:
        if self._stopped.is_set():
            raise KeyboardInterrupt

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


@pytest.fixture
def counted() -> Iterator[CountingEngine]:
    engine = CountingEngine()
    yield engine
    engine.close()


def test_followers_share_one_stream_across_restarts_and_a_replacement(
    project: Project, counted: CountingEngine, docker: Callable[..., str], tmp_path: Path
) -> None:
    count = "n=$(cat /done/n 2>/dev/null || echo 0); n=$((n+1)); echo $n > /done/n; echo run $n"
    app = run(project, count)
    socket, before = tmp_path / "logs", threading.active_count()
    relay, followers = LogRelay(counted, socket), list[Follower]()
    relay.start()

    def follow(at: str) -> None:
        followers.append(Follower(counted, app.name, socket, LogPosition(app.id, at)))
        eventually(lambda: followers[-1].texts == followers[0].texts, "it has caught up")

    def all_have(*texts: str) -> None:
        eventually(lambda: all(f.texts == list(texts) for f in followers), f"{texts} are read")

    try:
        follow("2020-01-01T00:00:00.000000000Z")
        all_have("run 1")
        follow("2019-01-01T00:00:00.000000000Z")  # earlier than what the first asked for
        follow("2021-01-01T00:00:00.000000000Z")
        assert counted.follows == 1
        docker("restart", app.name)
        all_have("run 1", "run 2")
        docker("rm", "-f", app.name)
        project.up((project.folder / "compose.yaml").read_text())
        all_have("run 1", "run 2", "(replaced)", "run 3")
        relay.stop()
        docker("restart", app.name)  # each on its own now
        all_have("run 1", "run 2", "(replaced)", "run 3", "run 4")
    finally:
        relay.stop()
        for follower in followers:
            follower.stop()
    eventually(lambda: threading.active_count() <= before, "every thread has ended")
