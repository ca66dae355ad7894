"""Stand-ins on a real Engine, step by step, with a diversion that does what the test wants."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from scar.projects import Project
from tests.support.compose_project import IMAGE, remove_project, run_docker
from tests.support.job_context import job_context, settings_in
from tests.support.waiting import free_port
from workers.deployment import takeover as module
from workers.deployment.production import Production
from workers.deployment.takeover import Takeover
from workers.diversion.door import Diversion
from workers.engine.connection import Engine
from workers.engine.diverter import Diverter

COMPOSE = f"""\
services:
  web:
    image: {IMAGE}
    command: ["httpd", "-f", "-p", "8000", "-h", "/"]
    stop_signal: KILL
    ports: ["PORT:8000"]
    healthcheck: {{test: ["CMD", "true"], interval: 1s, start_period: 9s, start_interval: 0.2s}}
  back:
    image: {IMAGE}
    command: ["sleep", "100000"]
    stop_signal: KILL
    healthcheck: {{test: ["CMD", "true"], interval: 1s, start_period: 9s, start_interval: 0.2s}}
"""


class ScriptedDiverter:
    """Says `reason`, and stops the web server that runs where it has to be `silent`."""

    def __init__(self, project: str, reason: str = "", *, silent: bool = False) -> None:
        self._project, self._reason, self._silent = project, reason, silent
        self.started: list[Diversion] = []
        self.stopped: list[str] = []

    def start(self, diversion: Diversion) -> str:
        self.started.append(diversion)
        if self._silent:
            run_docker("pause", f"{self._project}-web-1")
        return self._reason

    def stop(self, table: str) -> None:
        self.stopped.append(table)
        if self._silent:
            run_docker("unpause", f"{self._project}-web-1")


class Shop:
    """A site that runs, and its stand-ins."""

    def __init__(self, folder: Path) -> None:
        production = folder / "production"
        production.mkdir()
        (production / "compose.yaml").write_text(COMPOSE.replace("PORT", str(free_port())))
        self.name = f"scartest-{os.urandom(4).hex()}"
        project = Project("shop", folder / "ws", production, self.name, health_timeout=60)
        settings = settings_in(folder, stable_seconds=0.1)
        self.context = job_context("deploy", {}, settings, project=project)
        self.context.folder.mkdir(parents=True)
        self.production = Production(self.context, os.open(os.devnull, os.O_RDONLY))
        self.takeover = Takeover(self.context, self.production, pause=lambda _: None)
        self.compose("up", "-d", "web")

    def compose(self, *words: str) -> None:
        """`docker compose`, as a person would on the host."""
        command = ["docker", "compose", "-p", self.name, *words]
        folder = self.context.project.production
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    def begin(self, *services: str) -> str:
        return self.takeover.begin(self.production.config(), services)

    def containers(self) -> list[str]:
        label = f"label=com.docker.compose.project={self.name}"
        names = run_docker("ps", "-a", "--filter", label, "--format", "{{.Names}} {{.State}}")
        return sorted(name.partition("-standin-")[0] for name in names.splitlines())


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    remove_project(Engine(os.environ.get("DOCKER_HOST")), made.name)


def divert(monkeypatch: pytest.MonkeyPatch, diverter: ScriptedDiverter) -> ScriptedDiverter:
    monkeypatch.setattr(module, "diverter_of", lambda _: cast(Diverter, diverter))
    return diverter


def test_where_nothing_can_be_diverted_the_plain_way_is_open_and_its_reason_known(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [f"{shop.name}-web-1 running"]
    divert(monkeypatch, ScriptedDiverter(shop.name, "a rule names its address"))
    assert shop.begin("web") == "a rule names its address"
    assert shop.containers() == alone

    diverter = divert(monkeypatch, ScriptedDiverter(shop.name, silent=True))
    assert shop.begin("web") == "port of web not reached"
    assert shop.containers() == alone
    assert diverter.stopped == [diverter.started[0].table]
    assert not list(shop.context.folder.glob("stand_ins*"))


def test_a_person_who_uses_compose_meanwhile_gets_what_they_asked_for(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.compose("up", "-d")
    diverter = divert(monkeypatch, ScriptedDiverter(shop.name))
    assert shop.begin("web", "back") == ""
    every = [f"{shop.name}-{name}" for name in ("back", "back-1 running", "web", "web-1 running")]
    assert shop.containers() == every
    shop.compose("up", "-d", "--force-recreate")
    assert shop.containers() == every
    shop.compose("down")
    shop.takeover.recover()
    assert shop.containers() == []
    assert diverter.stopped


def test_a_service_without_a_port_is_stood_in_for_by_its_name(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.compose("up", "-d", "back")
    diverter = divert(monkeypatch, ScriptedDiverter(shop.name))
    assert shop.begin("back") == ""
    assert diverter.started == []
    name = run_docker("ps", "--filter", f"name={shop.name}-back-standin", "--format", "{{.Names}}")
    aliases = "{{range .NetworkSettings.Networks}}{{.Aliases}}{{end}}"
    assert "back" in run_docker("inspect", "-f", aliases, name).strip("[]").split()
