"""Small Compose projects on a real Engine."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

from workers.engine.compose import Compose
from workers.engine.compose_command import ComposeProject
from workers.engine.connection import Engine
from workers.engine.container import Container
from workers.engine.containers import Containers
from workers.engine.process import RunControl

IMAGE = "scar-test/busybox:1"


def run_docker(*argv: str, stdin: bytes = b"", check: bool = True) -> str:
    result = subprocess.run(["docker", *argv], input=stdin, capture_output=True, check=False)
    if check and result.returncode != 0:
        raise AssertionError(f"docker {argv}: {result.stderr.decode('utf-8', 'replace')}")
    return result.stdout.decode().strip()


def engine() -> Engine:
    """Return the Engine at `DOCKER_HOST`; one connection serves all tests of a process."""
    return _engine_at(os.environ.get("DOCKER_HOST"))


@functools.cache
def _engine_at(host: str | None) -> Engine:
    return Engine(host)


def containers_of(project: str) -> list[dict[str, Any]]:
    """Return every container of a Compose project as the Engine lists it.

    Starting the `docker` command instead costs seven times the processor time.
    """
    with engine().api() as api:
        label = {"label": [f"com.docker.compose.project={project}"]}
        return list(api.containers(all=True, filters=label))


class Project:
    """A Compose project of one test; `remove` takes it off the Engine."""

    def __init__(
        self, folder: Path, compose: Compose, containers: Containers, engine: Engine
    ) -> None:
        self.name = f"scartest-{uuid4().hex[:8]}"
        self.folder = folder
        self._compose = compose
        self._containers = containers
        self._engine = engine

    def write(self, compose_file: str, **files: str) -> ComposeProject:
        """Write the project's files; `IMAGE` in them becomes the name of the base image."""
        for name, text in {"compose.yaml": compose_file, **files}.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("IMAGE", IMAGE))
        return self.compose_project

    @property
    def compose_project(self) -> ComposeProject:
        return ComposeProject(self.name, self.folder, (self.folder / "compose.yaml",))

    def up(self, compose_file: str, **files: str) -> list[Container]:
        self._compose.up(self.write(compose_file, **files), RunControl(deadline=60))
        return self.containers()

    def containers(self) -> list[Container]:
        return self._containers.of_project(self.name)

    def service(self, name: str) -> Container:
        return next(c for c in self.containers() if c.service == name)

    def remove(self) -> None:
        remove_project(self._engine, self.name)


def remove_project(engine: Engine, name: str) -> None:
    """Remove all containers, networks, volumes, images and pins of a Compose project.

    They carry the project's label, an untagged image too; a pin carries the name.
    """
    label = {"label": [f"com.docker.compose.project={name}"]}
    with engine.api() as api:
        for container in api.containers(all=True, filters=label):
            api.remove_container(container["Id"], force=True, v=True)
        for network in api.networks(filters=label):
            api.remove_network(network["Id"])
        for volume in api.volumes(filters=label)["Volumes"] or []:
            api.remove_volume(volume["Name"])
        for image in api.images(all=True, filters=label):
            api.remove_image(image["Id"], force=True)
        # Only the name: a release also pins base images, which are not the project's.
        names = [f"{name}-*", f"scar-keep/{name}/*", f"scar-build/{name}/*"]
        for image in api.images(filters={"reference": names}):
            for tag in image["RepoTags"]:
                if name in tag:
                    api.remove_image(tag)
