"""A shop for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.deploy_scene import DeployScene


@pytest.fixture
def open_scene(tmp_path: Path) -> Iterator[Callable[..., DeployScene]]:
    """Makes a shop; `entry` is added to its entry of the projects file."""
    scenes: list[DeployScene] = []

    def make(**entry: Any) -> DeployScene:
        scene = DeployScene(tmp_path / f"shop{len(scenes)}", **entry)
        scenes.append(scene)
        scene.begin()
        return scene

    yield make
    for scene in scenes:
        scene.remove()


@pytest.fixture
def scene(open_scene: Callable[..., DeployScene]) -> DeployScene:
    """One that has been deployed once."""
    made = open_scene()
    first = made.do("deploy")
    assert first.state == "succeeded", first.error
    assert made.site() == "one"
    return made
