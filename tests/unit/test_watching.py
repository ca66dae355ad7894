"""How the watcher handles the Engine's events, and how the alert keeper handles its looks at
containers.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scar.alerts.alert import Alert
from scar.projects import Project
from tests.support.waiting import PATIENCE, eventually
from tests.watch.test_rules import NOW, running
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.events import EngineEvent, EngineEvents
from workers.state.roster import Death, Member, Roster
from workers.watch.alert_keeper import HOST, AlertKeeper, Subject
from workers.watch.container_watch import ContainerWatch
from workers.watch.observer import ContainerView, QuietObserver
from workers.watch.rules.problem import Problem
from workers.watch.watcher import Watcher

SECOND = 1_000_000_000


@pytest.fixture
def batches() -> list[list[int]]:
    """The times of the events that each stream brings, in nanoseconds."""
    return []


@contextmanager
def engine_that(answers: Callable[[str], bytes | None]) -> Iterator[Engine]:
    """A server that speaks as the Engine does: `answers` returns what a path has, None for an error
    of the server.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.endswith("/version")
            body = json.dumps({"ApiVersion": "1.44"}).encode() if known else answers(self.path)
            self.send_response(200 if body is not None else 500)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    engine = Engine(f"tcp://127.0.0.1:{server.server_port}")
    yield engine
    engine.close()
    server.shutdown()
    server.server_close()


@pytest.fixture
def events(batches: list[list[int]]) -> Iterator[EngineEvents]:
    """Events of an Engine that ends each stream."""

    def next_batch(_path: str) -> bytes:
        rows = [{"Action": "die", "timeNano": at, "Actor": {"ID": "c"}} for at in batches.pop(0)]
        return b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    with engine_that(next_batch) as engine:
        yield EngineEvents(engine)


def test_each_event_comes_once_in_whatever_order_and_after_the_clock_was_set_back(
    events: EngineEvents, batches: list[list[int]]
) -> None:
    first, swapped, earlier = 3600 * SECOND, 3600 * SECOND - 5, 10 * SECOND
    batches += [[first, swapped], [swapped, first, earlier]]
    seen = [round(event.at * SECOND) for _ in range(2) for event in events.follow() if event]
    assert seen == [first, swapped, earlier]


def _event(action: str, at: float, **changes: object) -> EngineEvent:
    event = EngineEvent(at, action, "", "c" * 64, "shop-web-1", "shop", "web", False, None)
    return replace(event, **changes)  # type: ignore[arg-type]


def _watch() -> ContainerWatch:
    return ContainerWatch("web", Containers(Engine("unix:///nowhere/docker.sock")), lambda: NOW)


@pytest.mark.parametrize(("signal", "asked"), [("1", False), ("10", False), ("15", True)])
def test_a_signal_to_read_settings_anew_is_no_stop_by_hand(signal: str, asked: bool) -> None:
    watch = _watch()
    watch.note(_event("kill", NOW, signal=signal), own=False)
    assert watch.asked is asked


def test_a_container_that_starts_with_the_engine_does_not_count_as_stopped_by_hand() -> None:
    watch = _watch()
    watch.note(_event("stop", NOW), own=False)
    watch.note_start(running(started_at=datetime.fromtimestamp(NOW - 9, UTC)))
    assert watch.asked
    watch.note_start(running(started_at=datetime.fromtimestamp(NOW + 9, UTC)))
    assert not watch.asked


@dataclass
class Written:
    """What a keeper has published; `known` is what one before it has."""

    alerts: list[Alert] = field(default_factory=list)
    known: list[Alert] = field(default_factory=list)

    def load(self) -> list[Alert]:
        return self.known

    def publish(self, alert: Alert, project: Project | None, container_id: str = "") -> None:  # noqa: ARG002
        self.alerts.append(alert)


def _view(health: str, name: str = "shop-web-1") -> ContainerView:
    project = Project("shop", Path("/w/shop"), Path("/srv/shop"), "shop")
    details = running(health=health)
    return ContainerView(project, name, "web", details, True, True, False, (), NOW)


def test_a_container_that_starts_again_has_not_recovered_yet() -> None:
    written = Written()
    keeper = AlertKeeper("default", written, look_seconds=5, wall=lambda: NOW)
    for health in ("unhealthy", "starting", "unhealthy", "starting", "healthy"):
        keeper.looked(_view(health))
    assert [alert.is_open for alert in written.alerts] == [True, False]


def test_a_watcher_that_was_started_anew_still_knows_that_it_was_stopped_by_hand() -> None:
    ended = running(state="exited", exit_code=137, started_at=datetime.fromtimestamp(NOW - 9, UTC))
    by_hand = replace(_view("healthy"), details=ended, asked=True)
    written = Written()
    AlertKeeper("default", written, look_seconds=5, wall=lambda: NOW).looked(by_hand)
    restarted = Written(known=[*written.alerts])
    keeper = AlertKeeper("default", restarted, look_seconds=5, wall=lambda: NOW)
    keeper.looked(replace(by_hand, asked=False))
    assert restarted.alerts == []
    again = replace(ended, started_at=datetime.fromtimestamp(NOW + 9, UTC))
    keeper.looked(replace(by_hand, details=again, asked=False))
    assert [alert.severity for alert in restarted.alerts] == ["critical"]


def test_an_alert_does_not_join_a_group_whose_recovery_is_told() -> None:
    written = Written()
    keeper = AlertKeeper("default", written, look_seconds=5, wall=lambda: NOW)
    keeper.looked(_view("unhealthy"))
    keeper.looked(_view("healthy"))
    keeper.looked(_view("unhealthy", "shop-db-1"))
    keeper.looked(_view("unhealthy", "shop-job-1"))
    first, _, second, third = (alert.group for alert in written.alerts)
    assert first != second == third


def test_an_unreachable_certificate_does_not_count_as_renewed() -> None:
    written = Written()
    keeper = AlertKeeper("default", written, look_seconds=5, wall=lambda: NOW)
    web, problem = Subject("shop", "web", "web"), Problem("certificate", "warning", "ends", "")
    keeper.settle("certificate", {web: problem})
    keeper.settle("certificate", {}, [web])
    assert [alert.is_open for alert in written.alerts] == [True]
    keeper.settle("certificate", {})
    assert [alert.is_open for alert in written.alerts] == [True, False]


def test_the_alerts_of_a_project_that_is_gone_from_the_file_are_closed() -> None:
    written = Written()
    keeper = AlertKeeper("default", written, look_seconds=5, wall=lambda: NOW)
    keeper.looked(_view("unhealthy"))
    keeper.settle("disk", {HOST: Problem("disk", "warning", "is almost full", "")})
    keeper.keep_only(["shop"])
    keeper.keep_only(["blog"])
    assert [(alert.rule, alert.is_open) for alert in written.alerts] == [
        ("unhealthy", True),
        ("disk", True),
        ("unhealthy", False),
    ]


class Looks(QuietObserver):
    """The containers that were looked at."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def looked(self, view: ContainerView) -> None:
        self.names.add(view.name)


def test_an_error_while_looking_at_one_container_does_not_stop_the_others(tmp_path: Path) -> None:
    project = Project("shop", Path("/w/shop"), Path("/srv/shop"), "shop", auto_detect=True)
    names = {"web", "db", "job", "cache", "mail"}
    labels = {"com.docker.compose.project": "shop"}
    rows = [{"Id": n, "Names": [f"/{n}"], "Labels": labels} for n in (*names, "bad")]

    def answer(path: str) -> bytes | None:
        if "/events" in path:
            return b""
        if "/containers/json" in path:
            return json.dumps(rows).encode()
        name = path.split("/")[-2]
        details = {"Id": name, "Name": name, "State": {"Status": "running"}}
        full = {**details, "Config": {}, "HostConfig": {}}
        return None if name == "bad" else json.dumps(full).encode()

    looks = Looks()
    with engine_that(answer) as engine:
        watcher = Watcher(
            EngineEvents(engine),
            Containers(engine),
            Roster(tmp_path / "roster.json"),
            lambda: {"shop": project},
            lambda _: False,
            [looks],
            look_seconds=0.01,
        )
        watcher.start()
        try:
            eventually(lambda: looks.names == names)
        finally:
            watcher.stop()
            watcher.join(PATIENCE)


def test_a_restart_loop_is_one_across_a_restart_of_the_worker(tmp_path: Path) -> None:
    """A new watcher reads the ends that the one before has seen, as soon as they were seen."""
    path = tmp_path / "roster.json"
    project = Project("shop", Path("/w/shop"), Path("/srv/shop"), "shop", ("web",))
    deaths: list[tuple[Death, ...]] = []
    with engine_that(lambda path: None if path.endswith("/json") else b"[]") as engine:
        for number in (1, 2):
            roster = Roster(path)
            roster.put("shop", "web", roster.of("shop").get("web") or Member("web", runs=True))
            watcher = Watcher(
                EngineEvents(engine),
                Containers(engine),
                roster,
                lambda: {"shop": project},
                lambda _: False,
                [],
                look_seconds=PATIENCE,
            )
            watcher._note_event(_event("die", NOW + number, name="web", exit_code=number))
            deaths.append(Roster(path).of("shop")["web"].deaths)  # as one killed now leaves it
    assert deaths == [(Death(NOW + 1, 1),), (Death(NOW + 1, 1), Death(NOW + 2, 2))]
