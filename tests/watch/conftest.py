"""Containers that go wrong on purpose, on a real Engine, and a watcher of them in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import fakeredis
import pytest
from redis import Redis

from scar.access import Actor
from scar.alerts.alert import Alert
from scar.alerts.alert_book import AlertBook
from scar.bootstrap import Services, bootstrap
from scar.commands import job_commands
from scar.jobs.ledger import Ledger
from scar.jobs.signing import Signatures
from scar.keys.key_store import worker_part
from scar.settings import Settings
from tests.contract.conftest import RecordedQueue
from tests.support.compose_project import Project
from tests.support.waiting import eventually
from workers.engine.compose import Compose
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.state.roster import Roster
from workers.watch.host_watch import HostWatch

LOOK_SECONDS = 0.5
_COMPOSE = """
x-base: &base
  image: IMAGE
  stop_grace_period: 0s
  volumes: ["./control:/control"]
services:
  crash:
    <<: *base
    environment: {DB_PASSWORD: hunter2hunter2}
    command: >-
      sh -c 'echo "cannot log in with hunter2hunter2";
      while [ ! -e /control/crash ]; do sleep 0.1; done; exit 3'
  loop:
    <<: *base
    restart: always
    command: sh -c 'while [ ! -e /control/loop ]; do sleep 0.1; done; exit 4'
  hog:
    <<: *base
    mem_limit: 16m
    command: >-
      sh -c 'while [ ! -e /control/hog ]; do sleep 0.1; done;
      exec dd if=/dev/zero of=/dev/null bs=256M count=1'
  web:
    <<: *base
    command: sleep 3600
    healthcheck: {test: "test ! -e /control/sick", interval: 0.5s, timeout: 60s, retries: 1}
  spare:
    <<: *base
    command: sleep 3600
  once:
    <<: *base
    command: "true"
"""
_SERVICES = 6
_OPERATOR = Actor("telegram", "1", "Olga")


@dataclass
class WatchScene:
    """A project whose containers fail once the test creates a certain file."""

    project: Project
    settings: Settings
    redis: Redis
    watch: HostWatch
    _services: Services = field(init=False)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.redis, self._signatures)

    @property
    def _signatures(self) -> Signatures:
        return Signatures.of(self.settings, worker_part("default"))

    def start(self) -> None:
        """Start a watcher, as a worker that starts does."""
        self.watch = HostWatch(self.settings, self.redis, self._signatures, self.ledger)
        self.watch.start()

    def begin_job(self) -> str:
        """Submit a restart, which holds the project until it has ended."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("scar.bootstrap.connect", lambda *_, **__: self.redis)
            patch.setattr("scar.bootstrap.JobQueue", lambda *_: RecordedQueue())
            self._services = bootstrap(self.settings, "telegram")
        job = self._services.job_service.submit(
            _OPERATOR,
            job_commands()["restart"],
            self._services.projects.get("shop"),
            {},
            confirmed=True,
        )
        return job.id

    def end_job(self, id: str) -> None:
        self._services.job_service.cancel(_OPERATOR, id)

    def file(self, name: str) -> Path:
        return self.project.folder / "control" / name

    def alerts(self) -> list[Alert]:
        return AlertBook(self.redis, self._signatures).all()

    def alert(self, service: str, rule: str, *, is_open: bool = True) -> Alert:
        """Wait for an alert."""

        def look() -> Alert | None:
            fitting = [a for a in self.alerts() if (a.service, a.rule) == (service, rule)]
            return next((a for a in fitting if a.is_open == is_open), None)

        alert = eventually(look, f"{rule} of {service}, open: {is_open}")
        assert alert is not None
        return alert

    def is_every_container_seen(self) -> bool:
        """Return whether the watcher has looked at every container once. A container that had ended
        before that raises no alert.
        """
        roster = Roster(self.settings.state_dir / "watch/roster.json").of("shop")
        return len(roster) == _SERVICES and all(
            member.runs for member in roster.values() if member.service != "once"
        )

    def state(self, service: str) -> str:
        return self.project.service(service).state


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchScene]:
    engine = Engine(os.environ.get("DOCKER_HOST"))
    containers = Containers(engine)
    folder = tmp_path_factory.mktemp("watched")
    project = Project(folder / "production", Compose(engine.host), containers, engine)
    projects = folder / "projects.json"
    entry = {
        "workspace": str(folder / "workspace"),
        "production": str(folder / "production"),
        "compose_project": project.name,
        "auto_detect": True,
    }
    projects.write_text(json.dumps({"shop": entry}))
    env = {
        "SCAR_PROJECTS_FILE": str(projects),
        "SCAR_STATE_DIR": str(folder / "state"),
        "SCAR_SECRET_KEY": "a key that only tests know",
        "SCAR_ALERT_LOOK_SECONDS": str(LOOK_SECONDS),
        "SCAR_TELEGRAM_USERS": "1:operator",
        "DOCKER_HOST": engine.host,
    }
    settings = Settings.load(env, dotenv=None)
    redis = cast("Redis", fakeredis.FakeRedis(decode_responses=True))
    signatures = Signatures.of(settings, worker_part("default"))
    watch = HostWatch(settings, redis, signatures, Ledger(redis, signatures))
    scene = WatchScene(project, settings, redis, watch)
    try:
        project.up(_COMPOSE, **{"control/made": ""})
        watch.start()
        eventually(lambda: scene.is_every_container_seen())
        yield scene
        scene.watch.stop()
    finally:
        project.remove()
