"""Fixtures with a real Engine and small Compose projects on it."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workers.engine.compose import Compose
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.health import Health
from workers.engine.images import Images
from workers.engine.logs import ContainerLogs

from .projects import IMAGE, Project, run_docker


@pytest.fixture(scope="session", autouse=True)
def image() -> str:
    """Import a base image that holds only busybox: tests cannot pull images."""
    if not run_docker("image", "ls", "-q", IMAGE):
        packed = io.BytesIO()
        names = subprocess.check_output(["/bin/busybox", "--list"], text=True).split()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add("/bin/busybox", "bin/busybox")
            for name in names:
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                if name != "busybox":
                    archive.addfile(link)
        run_docker("import", "-", IMAGE, stdin=packed.getvalue())
    return IMAGE


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
