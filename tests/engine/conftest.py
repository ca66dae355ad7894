"""Fixtures with a real Engine and small Compose projects on it."""

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
from workers.engine.logs import ContainerLogs


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine(os.environ.get("DOCKER_HOST"))


@pytest.fixture(scope="session")
def containers(engine: Engine) -> Containers:
    return Containers(engine)


@pytest.fixture(scope="session")
def logs(engine: Engine, containers: Containers) -> ContainerLogs:
    return ContainerLogs(engine, containers)


@pytest.fixture(scope="session")
def images(engine: Engine) -> Images:
    return Images(engine)


@pytest.fixture(scope="session")
def health(containers: Containers, logs: ContainerLogs) -> Health:
    return Health(containers, logs)


@pytest.fixture(scope="session")
def compose() -> Compose:
    return Compose(os.environ.get("DOCKER_HOST"))


@pytest.fixture
def project(
    tmp_path: Path, compose: Compose, containers: Containers, engine: Engine
) -> Iterator[Project]:
    project = Project(tmp_path, compose, containers, engine)
    yield project
    project.remove()


@pytest.fixture(scope="session")
def docker() -> Callable[..., str]:
    return run_docker
