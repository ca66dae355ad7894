"""A project for each test, most of them in a SCAR that many share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.deploy_scene import WITHOUT_SITE, DeployScene, deploying_installation
from tests.support.installation import Installation

EMPTIES_REDIS = {"test_reconciled"}
"""Files whose tests empty Redis: it is then told of every job that a SCAR has ever done."""


@pytest.fixture(scope="package")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Yield one SCAR for all tests: its start takes three times the processor time of a deploy.

    Tests may kill its parts, which it starts again.
    """
    made = deploying_installation(tmp_path_factory.mktemp("deploying"))
    yield made
    made.down()


@pytest.fixture(scope="module")
def emptied_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Yield one SCAR for each file whose tests empty Redis."""
    made = deploying_installation(tmp_path_factory.mktemp("emptied"))
    yield made
    made.down()


def _shared(request: pytest.FixtureRequest) -> Installation:
    empties = request.path.stem in EMPTIES_REDIS
    shared: Installation = request.getfixturevalue(
        "emptied_installation" if empties else "installation"
    )
    return shared


@pytest.fixture
def open_scene(
    tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., DeployScene]]:
    """Make a project and a SCAR that knows it; `entry` is added to its entry."""
    scenes: list[DeployScene] = []
    shared = _shared(request)

    def make(**entry: Any) -> DeployScene:
        scene = DeployScene(tmp_path / f"shop{len(scenes)}", shared, **entry)
        scenes.append(scene)
        scene.begin()
        return scene

    yield make
    for scene in scenes:
        scene.remove()


@pytest.fixture(scope="package")
def shared_scene(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeployScene]:
    """Yield the scene behind `standing`."""
    made = DeployScene(tmp_path_factory.mktemp("standing"), installation, project="standing")
    yield made
    made.remove()


@pytest.fixture
def standing(shared_scene: DeployScene) -> Iterator[DeployScene]:
    """Yield a scene that has been deployed, for tests that leave production as it is.

    They share it; workspace and entry are as they were for that deploy.
    """
    made, entry = shared_scene, dict(shared_scene.entry)
    shutil.rmtree(made.workspace, ignore_errors=True)
    made.begin()
    if made.site() != "one":
        deployed = made.do("deploy")
        assert deployed.state == "succeeded", deployed.error
    before = made.images(), made.tree()
    yield made
    made.entry = entry
    assert (made.images(), made.tree()) == before


@pytest.fixture
def siteless(open_scene: Callable[..., DeployScene]) -> DeployScene:
    """Return a scene without its site that has been deployed once, for tests of what a deploy does
    with files: no image is built, and no health waited for.
    """
    made = open_scene(primary_container=None)
    made.write(**{"compose.yaml": WITHOUT_SITE})
    first = made.do("deploy")
    assert first.state == "succeeded", first.error
    return made


@pytest.fixture
def scene(open_scene: Callable[..., DeployScene]) -> DeployScene:
    """Return a scene whose project has been deployed once."""
    made = open_scene()
    first = made.do("deploy")
    assert first.state == "succeeded", first.error
    assert made.site() == "one"
    return made
