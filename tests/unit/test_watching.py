"""What the watcher makes of the Engine's events, and what the keeper makes of its looks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scar.alerts.alert import Alert
from scar.projects import Project
from tests.watch.test_rules import NOW, running
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.events import EngineEvent, EngineEvents
from workers.watch.alert_keeper import AlertKeeper
from workers.watch.container_watch import ContainerWatch
from workers.watch.observer import ContainerView

SECOND = 1_000_000_000


@pytest.fixture
def batches() -> list[list[int]]:
    """The times of the events that each stream brings, in nanoseconds."""
    return []


@pytest.fixture
def events(batches: list[list[int]]) -> Iterator[EngineEvents]:
    """The events of a server that speaks as the Engine does, and ends each stream."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            if self.path.endswith("/version"):
                self.wfile.write(json.dumps({"ApiVersion": "1.44"}).encode())
                return
            for at in batches.pop(0):
                event = {"Action": "die", "timeNano": at, "Actor": {"ID": "c"}}
                self.wfile.write(json.dumps(event).encode() + b"\n")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield EngineEvents(Engine(f"tcp://127.0.0.1:{server.server_port}"))
    server.shutdown()
    server.server_close()


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


def test_a_container_that_the_engine_began_with_was_not_stopped_by_hand() -> None:
    watch = _watch()
    watch.note(_event("stop", NOW), own=False)
    watch.note_start(running(started_at=datetime.fromtimestamp(NOW - 9, UTC)))
    assert watch.asked
    watch.note_start(running(started_at=datetime.fromtimestamp(NOW + 9, UTC)))
    assert not watch.asked


@dataclass
class Written:
    """What a keeper has published."""

    alerts: list[Alert] = field(default_factory=list)

    def load(self) -> list[Alert]:
        return []

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


def test_an_alert_does_not_join_a_group_whose_recovery_is_told() -> None:
    written = Written()
    keeper = AlertKeeper("default", written, look_seconds=5, wall=lambda: NOW)
    keeper.looked(_view("unhealthy"))
    keeper.looked(_view("healthy"))
    keeper.looked(_view("unhealthy", "shop-db-1"))
    keeper.looked(_view("unhealthy", "shop-job-1"))
    first, _, second, third = (alert.group for alert in written.alerts)
    assert first != second == third
