"""Restarting containers: order, time to stop, lost answers."""

from __future__ import annotations

import time
from dataclasses import replace

import docker
import pytest
from requests.exceptions import ReadTimeout

from scar.errors import ScarError
from tests.support.compose_project import Project
from tests.support.stopwatch import Stopwatch
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.restart import restart, restart_order

STUBBORN = """
services:
  app:
    image: IMAGE
    command: ["sh", "-c", "trap 'sleep 3; exit 0' TERM; while :; do sleep 0.1; done"]
    stop_grace_period: 8s
"""


def test_dependencies_restart_first(project: Project) -> None:
    service = "{image: IMAGE, command: sleep 100, stop_signal: KILL"
    listed = project.up(
        "services:\n"
        f"  app: {service}, depends_on: [cache, db]}}\n"
        f"  cache: {service}, depends_on: [db]}}\n"
        f"  db: {service}}}\n"
        f"  zed: {service}}}\n"
    )
    given = sorted(listed, key=lambda container: container.name)
    assert [c.service for c in restart_order(given)] == ["db", "cache", "app", "zed"]
    assert [c.service for c in restart_order(given[::-1])] == ["zed", "db", "cache", "app"]


def test_a_dependency_cycle_does_not_hang(project: Project) -> None:
    (container,) = project.up("services: {a: {image: IMAGE, command: sleep 9, stop_signal: KILL}}")
    a = replace(container, service="a", depends_on={"b": ""})
    b = replace(container, id="b", service="b", depends_on={"a": ""})
    assert [container.service for container in restart_order([a, b])] == ["b", "a"]


def test_a_container_gets_its_own_stop_grace_period(
    project: Project, engine: Engine, containers: Containers
) -> None:
    (container,) = project.up(STUBBORN)
    before = containers.inspect(container.id)
    assert before.stop_timeout == 8
    begun, unhindered = time.monotonic(), Stopwatch()
    after = restart(engine, containers, container)
    assert time.monotonic() - begun > 2.5
    assert unhindered.seconds() < 7
    assert after.state == "running"
    assert after.started_at != before.started_at


def test_a_restart_whose_answer_was_lost_is_not_repeated(
    project: Project, engine: Engine, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    (container,) = project.up("services: {a: {image: IMAGE, command: sleep 99, stop_signal: KILL}}")
    before = containers.inspect(container.id)
    sent: list[str] = []
    real = docker.APIClient.restart

    def lost_answer(api: docker.APIClient, container_id: str, timeout: int) -> None:
        sent.append(container_id)
        real(api, container_id, timeout)
        raise ReadTimeout("the answer was lost")

    monkeypatch.setattr(docker.APIClient, "restart", lost_answer)
    after = restart(engine, containers, container)
    assert sent == [container.id]
    assert after.state == "running"
    assert after.started_at != before.started_at


def test_restarting_a_removed_container_says_it_is_not_found(
    project: Project, engine: Engine, containers: Containers
) -> None:
    (container,) = project.up("services: {a: {image: IMAGE, command: sleep 9, stop_signal: KILL}}")
    project.remove()
    with pytest.raises(ScarError) as failure:
        restart(engine, containers, container)
    assert failure.value.code == "container_not_found"
