"""Tiny Compose projects on a real Engine, and patience."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from workers.engine.compose import Compose
from workers.engine.compose_command import ComposeProject
from workers.engine.connection import Engine
from workers.engine.containers import Container, Containers
from workers.engine.process import RunControl

IMAGE = "scar-test/busybox:1"


def run_docker(*argv: str, stdin: bytes = b"", check: bool = True) -> str:
    done = subprocess.run(["docker", *argv], input=stdin, capture_output=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"docker {argv}: {done.stderr.decode('utf-8', 'replace')}")
    return done.stdout.decode().strip()


class Project:
    """A Compose project of one test, removed after it."""

    def __init__(
        self, folder: Path, compose: Compose, containers: Containers, engine: Engine
    ) -> None:
        self.name = f"scartest-{uuid4().hex[:8]}"
        self.folder = folder
        self._compose = compose
        self._containers = containers
        self._engine = engine

    def write(self, compose_file: str, **files: str) -> ComposeProject:
        """`IMAGE` in the texts is the base image; containers end at once when told to stop."""
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
        return next(found for found in self.containers() if found.service == name)

    def remove(self) -> None:
        remove_project(self._engine, self.name)


def remove_project(engine: Engine, name: str) -> None:
    """Takes everything of a Compose project off the Engine: what Compose made carries the
    project's label, an image that lost its name too; a tag that keeps an image carries the name.
    """
    label = {"label": [f"com.docker.compose.project={name}"]}
    with engine.api() as api:
        for found in api.containers(all=True, filters=label):
            api.remove_container(found["Id"], force=True, v=True)
        for network in api.networks(filters=label):
            api.remove_network(network["Id"])
        for volume in api.volumes(filters=label)["Volumes"] or []:
            api.remove_volume(volume["Name"])
        for image in api.images(all=True, filters=label):
            api.remove_image(image["Id"], force=True)
        # Only the name: a base image is kept for a release too, and is not the project's.
        for image in api.images(filters={"reference": [f"{name}-*", f"scar-keep/{name}/*"]}):
            for tag in image["RepoTags"]:
                if name in tag:
                    api.remove_image(tag)


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Polls until something holds; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)
