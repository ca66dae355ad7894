"""A project for each test, most of them in a SCAR that many share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.deploy_scene import DeployScene, deploying_installation
from tests.support.installation import Installation

OWN_SCAR = {"test_damaged_state", "test_engine_unreachable", "test_full_disk"}
"""Files whose tests end SCAR, fill its disk or change its settings."""

KILLS_PARTS = {"test_interrupted", "test_reconciled", "test_recovery", "test_zero_downtime"}
"""Files whose tests kill parts of a SCAR, which starts them again, or empty its Redis."""


@pytest.fixture(scope="package")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Yield one SCAR for all tests, since starting it takes longer than most deploys."""
    made = deploying_installation(tmp_path_factory.mktemp("deploying"))
    yield made
    made.down()


@pytest.fixture(scope="module")
def killed_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Yield one SCAR for each file whose tests kill its parts."""
    made = deploying_installation(tmp_path_factory.mktemp("killed"))
    yield made
    made.down()


def _shared(request: pytest.FixtureRequest) -> Installation | None:
    if request.path.stem in OWN_SCAR:
        return None
    kills = request.path.stem in KILLS_PARTS
    shared: Installation = request.getfixturevalue(
        "killed_installation" if kills else "installation"
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


@pytest.fixture
def scene(open_scene: Callable[..., DeployScene]) -> DeployScene:
    """Return a scene whose project has been deployed once."""
    made = open_scene()
    first = made.do("deploy")
    assert first.state == "succeeded", first.error
    assert made.site() == "one"
    return made
