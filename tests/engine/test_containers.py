"""What the list call tells of containers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scar.errors import ScarError
from tests.support.compose_project import Project
from tests.support.waiting import eventually
from workers.engine import containers as module
from workers.engine.connection import Engine
from workers.engine.containers import Containers

APP = """
services:
  web:
    image: IMAGE
    command: httpd -f -p 80
    stop_signal: KILL
    ports: ["127.0.0.1::80", "127.0.0.1::81/udp"]
    depends_on: {db: {condition: service_healthy}}
    volumes: ["./data:/data:ro"]
  db:
    image: IMAGE
    command: sleep 1000
    stop_signal: KILL
    healthcheck: {test: ["CMD", "true"], interval: 1s}
  once:
    image: IMAGE
    command: sh -c "exit 3"
"""


def test_a_project_in_one_call(project: Project, docker: Callable[..., str]) -> None:
    project.up(APP)
    eventually(lambda: project.service("once").state == "exited")
    web, db, once = (project.service(name) for name in ("web", "db", "once"))
    assert (web.state, web.health, web.exit_code) == ("running", None, None)
    assert web.name == f"{project.name}-web-1"
    assert web.image == "scar-test/busybox:1"
    assert web.depends_on == {"db": "service_healthy"}
    assert [(mount.type, mount.destination) for mount in web.mounts] == [("bind", "/data")]
    assert [(port.container_port, port.protocol) for port in web.ports] == [
        (80, "tcp"),
        (81, "udp"),
    ]
    mapped = docker("port", web.name, "80/tcp").rpartition(":")[2]
    assert str(web.ports[0]) == f"{mapped}→80/tcp"
    assert db.health == "healthy"
    assert (once.state, once.exit_code, once.uptime) == ("exited", 3, None)
    assert web.uptime is not None
    assert 0 <= web.uptime < 30
    assert web.working_dir == str(project.folder)


def test_a_container_is_found_by_its_exact_name_only(
    project: Project, containers: Containers
) -> None:
    (web,) = project.up("services: {web: {image: IMAGE, command: sleep 100, stop_signal: KILL}}")
    assert containers.find(web.name).id == web.id
    for wrong in (web.id[:6], web.id, web.name[:-1], "/" + web.name):
        with pytest.raises(ScarError, match=f"Container '{wrong}' not found"):
            containers.find(wrong)


def test_containers_without_the_label_are_found_by_name(
    project: Project, containers: Containers, docker: Callable[..., str]
) -> None:
    name = f"{project.name}-plain"
    docker("run", "-d", "--name", name, "scar-test/busybox:1", "sleep", "100")
    try:
        assert containers.of_project(project.name) == []
        assert [found.name for found in containers.of_project(project.name, [name])] == [name]
    finally:
        docker("rm", "-f", name)


def test_inspecting_what_is_gone(containers: Containers) -> None:
    with pytest.raises(ScarError, match="Container '0123456789ab' not found"):
        containers.inspect("0123456789ab" * 5)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Up Less than a second", 0),
        ("Up 1 second", 1),
        ("Up 59 seconds (health: starting)", 59),
        ("Up About a minute (healthy)", 60),
        ("Up 59 minutes (Paused)", 3540),
    ],
)
def test_below_an_hour_the_listed_uptime_is_exact(text: str, seconds: int) -> None:
    assert module._Uptimes(Engine()).of("any", text) == seconds


def test_above_an_hour_the_start_is_inspected_once_and_again_after_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = datetime.now(UTC) - timedelta(hours=2, minutes=15)
    asked: list[str] = []
    now = 0.0

    def started_at(_self: Any, container_id: str) -> datetime:
        asked.append(container_id)
        return started

    monkeypatch.setattr(module, "monotonic", lambda: now)
    monkeypatch.setattr(module._Uptimes, "_started_at", started_at)
    uptimes = module._Uptimes(Engine())
    for _ in range(3):
        assert (uptimes.of("c", "Up 2 hours") or 0) // 60 == 135
    assert asked == ["c"]
    now = 56 * 60.0
    uptimes.of("c", "Up 3 hours")
    assert asked == ["c", "c"]
