"""A real Engine and tiny real Compose projects on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.compose_project import Project, run_docker
from workers.engine.compose import Compose
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.health import Health
from workers.engine.images import Images
from workers.engine.logs import Logs


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine(os.environ.get("DOCKER_HOST"))


@pytest.fixture(scope="session")
def containers(engine: Engine) -> Containers:
    return Containers(engine)


@pytest.fixture(scope="session")
def logs(engine: Engine, containers: Containers) -> Logs:
    return Logs(engine, containers)


@pytest.fixture(scope="session")
def images(engine: Engine) -> Images:
    return Images(engine)


@pytest.fixture(scope="session")
def health(containers: Containers, logs: Logs) -> Health:
    return Health(containers, logs)


@pytest.fixture(scope="session")
def compose() -> Compose:
    return Compose(os.environ.get("DOCKER_HOST"))


@pytest.fixture
def project(
    tmp_path: Path, compose: Compose, containers: Containers, engine: Engine
) -> Iterator[Project]:
    made = Project(tmp_path, compose, containers, engine)
    yield made
    made.remove()


@pytest.fixture(scope="session")
def docker() -> Callable[..., str]:
    return run_docker
