"""Reading the Engine's containers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scar.errors import ScarError
from tests.support.compose_project import Project
from tests.support.waiting import eventually
from workers.engine.containers import Containers
from workers.engine.project_containers import ProjectContainers

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


def test_containers_are_listed_with_state_ports_and_dependencies(
    project: Project, containers: Containers, docker: Callable[..., str]
) -> None:
    project.up(APP)
    eventually(lambda: project.service("once").state == "exited")
    web, db, once = (project.service(name) for name in ("web", "db", "once"))
    assert (web.state, web.health, web.exit_code) == ("running", None, None)
    assert web.name == f"{project.name}-web-1"
    assert web.image == "scar-test/busybox:1"
    assert web.depends_on == {"db": "service_healthy"}
    assert [(port.container_port, port.protocol) for port in web.ports] == [
        (80, "tcp"),
        (81, "udp"),
    ]
    mapped = docker("port", web.name, "80/tcp").rpartition(":")[2]
    assert str(web.ports[0]) == f"{mapped}→80/tcp"
    assert db.health == "healthy"
    assert (once.state, once.exit_code, containers.uptime(once)) == ("exited", 3, None)
    uptime = containers.uptime(web)
    assert uptime is not None
    assert 0 <= uptime < 30
    assert web.working_dir == str(project.folder)


def test_a_container_is_chosen_by_its_exact_name_only(
    project: Project, containers: Containers
) -> None:
    (web,) = project.up("services: {web: {image: IMAGE, command: sleep 100, stop_signal: KILL}}")
    of_project = ProjectContainers(tuple(containers.of_project(project.name)), (), web.name)
    assert of_project.named(web.name).id == web.id
    for wrong in (web.id[:6], web.id, web.name[:-1], "/" + web.name):
        with pytest.raises(ScarError, match=f"Container '{wrong}' not found"):
            of_project.named(wrong)


def test_a_container_without_composes_label_can_be_named(
    project: Project, containers: Containers, docker: Callable[..., str]
) -> None:
    name = f"{project.name}-plain"
    docker("run", "-d", "--name", name, "scar-test/busybox:1", "sleep", "100")
    try:
        assert containers.of_project(project.name) == []
        assert [container.name for container in containers.of_project(project.name, [name])] == [
            name
        ]
    finally:
        docker("rm", "-f", name)


def test_inspecting_a_removed_container_says_it_is_not_found(containers: Containers) -> None:
    with pytest.raises(ScarError, match="Container '0123456789ab' not found"):
        containers.inspect("0123456789ab" * 5)
