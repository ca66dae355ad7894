"""What is held while a service is replaced, and what is left of it where a worker is killed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from scar.commands.ways_view import wait_lines, way_lines
from scar.errors import ScarError
from scar.jobs.results.ways import (
    HELD,
    PLAIN,
    STAND_IN,
    ServiceWay,
    estimate_without_downtime,
    longest_wait,
    with_waits,
)
from tests.unit.test_zero_downtime import DATA, PORT, RUNNING, config_of
from workers.deployment import held_doors
from workers.deployment.eligibility import reason_against_holding
from workers.deployment.held_doors import Held, HeldDoors, measured_ways
from workers.diversion.hold import HeldPort, Hold
from workers.state.held_record import HeldRecord
from workers.state.windows import Windows

WHERE = "scar_held_t_0"


@dataclass
class Programs:
    """The programs that hold, by their tables, and what they print when they end."""

    refuses: str = ""
    says: str = "held 0.84"
    running: dict[str, Hold] = field(default_factory=dict)

    def start(self, work: Hold) -> str:
        if not self.refuses:
            self.running[work.table] = work
        return self.refuses

    def stop(self, table: str) -> str:
        return self.says if self.running.pop(table, None) else ""


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Programs:
    made = Programs()
    monkeypatch.setattr(held_doors, "diverter_of", lambda _: made)
    return made


def doors_of(folder: Path) -> HeldDoors:
    masker = SimpleNamespace(text=lambda text: text)
    project = SimpleNamespace(name="shop")
    context = SimpleNamespace(folder=folder, engine=None, masker=masker, project=project)
    production = SimpleNamespace(containers=lambda: [RUNNING])
    return HeldDoors(cast("Any", context), cast("Any", production), token=lambda: "t")


def test_the_ports_of_a_service_are_held_when_its_container_is_stopped(
    tmp_path: Path, programs: Programs
) -> None:
    doors = doors_of(tmp_path)
    assert doors.before_stop is None
    doors.begin(config_of(), ["web"])
    assert doors.before_stop is not None
    doors.before_stop("another")
    assert programs.running == {}
    doors.before_stop(RUNNING.id)
    assert programs.running == {WHERE: Hold(WHERE, (HeldPort(8080),))}
    assert doors.end() == {"web": Held(0.84)}
    assert doors.before_stop is None


def test_after_a_kill_the_record_alone_says_what_is_held(
    tmp_path: Path, programs: Programs
) -> None:
    doors = doors_of(tmp_path)
    doors.begin(config_of(), ["web"])
    doors.hold(RUNNING.id)
    next_worker = doors_of(tmp_path)
    next_worker.hold(RUNNING.id)  # it puts production back, and holds again
    assert list(programs.running) == [WHERE]
    next_worker.end()
    assert programs.running == {}
    assert HeldRecord.load(tmp_path) is None


@pytest.mark.parametrize(
    ("refuses", "says", "held"),
    [
        ("no queue", "", Held(0.0, "no queue")),
        ("", "gave up 8.03", Held(8.03, "its port did not answer within 8 s")),
    ],
)
def test_what_could_not_be_held_is_said(
    tmp_path: Path, programs: Programs, refuses: str, says: str, held: Held
) -> None:
    programs.refuses, programs.says = refuses, says
    doors = doors_of(tmp_path)
    doors.begin(config_of(), ["web"])
    doors.hold(RUNNING.id)
    assert doors.end() == {"web": held}


def test_an_engine_that_fails_does_not_keep_a_container_from_being_stopped(
    tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_work: Hold) -> str:
        raise ScarError("docker_unavailable", "no Engine", "")

    monkeypatch.setattr(programs, "start", fails)
    doors = doors_of(tmp_path)
    doors.begin(config_of(), ["web"])
    doors.hold(RUNNING.id)
    assert doors.end() == {"web": Held(0.0, "no Engine")}


def test_a_damaged_record_keeps_nothing_from_being_done(tmp_path: Path, programs: Programs) -> None:
    doors = doors_of(tmp_path)
    doors.begin(config_of(), ["web"])
    (tmp_path / "held_doors.json").write_text("{")
    doors.hold(RUNNING.id)
    assert programs.running == {}
    assert doors.before_stop is None
    assert doors.end() == {}
    doors.begin(config_of(), ["web"])
    doors.hold(RUNNING.id)
    assert list(programs.running) == [WHERE]


def test_the_last_three_windows_of_a_service_decide_about_the_next(tmp_path: Path) -> None:
    ways = (ServiceWay("db", HELD, "it is a database", 1.0), ServiceWay("mail", PLAIN, "UDP"))
    probe = cast("Any", SimpleNamespace(by_service=lambda: {"mail": 2.1, "db": 0.0}))
    shown = measured_ways(tmp_path, ways, {"db": Held(8.0, "no answer")}, probe)
    assert [way.way for way in shown] == [PLAIN, PLAIN]
    windows = Windows(tmp_path)
    assert (windows.longest("db"), windows.longest("mail")) == (8.0, 2.1)
    for _ in range(3):
        windows.add({"db": 0.9})
    assert windows.longest("db") == 0.9
    (tmp_path / "windows.json").write_text("{")
    assert windows.longest("db") is None


@pytest.mark.parametrize(
    ("web", "window", "why"),
    [
        ({"image": "postgres:17", "volumes": [DATA], "privileged": True}, None, ""),
        ({}, 4.9, ""),
        ({}, 8.2, "it was away for 8 s lately"),
        ({"ports": []}, None, "it has no port of a fixed number"),
        ({"ports": [{**PORT, "published": "9090"}]}, None, "it has no port of a fixed number"),
        ({"ports": [{**PORT, "protocol": "udp"}]}, None, "UDP"),
        ({"scale": 2}, None, "it runs 2 times"),
    ],
)
def test_what_must_not_run_twice_can_be_held_where_it_is_away_for_a_short_time(
    web: dict[str, Any], window: float | None, why: str
) -> None:
    assert reason_against_holding(config_of(**web), "web", (RUNNING,), window) == why


def test_the_plan_says_how_long_new_connections_wait_and_the_result_how_long_they_did() -> None:
    ways = (ServiceWay("db", HELD, "it is a database", 1.0), ServiceWay("web", STAND_IN))
    estimate = estimate_without_downtime(ways)
    assert estimate == "none, connections wait about 1 s"
    assert way_lines(ways, estimate)[0] == "db: new connections wait about 1 s (it is a database)"
    measured = with_waits(ways, {"db": (0.84, "")})
    assert longest_wait(measured) == 0.84
    assert wait_lines(measured) == ["⏳ db: new connections waited 0.8s"]
    missed = with_waits(ways, {"db": (8.0, "its port did not answer within 8 s")})
    assert missed[0] == ServiceWay("db", PLAIN, "its port did not answer within 8 s")
    assert longest_wait(missed) is None
