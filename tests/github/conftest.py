"""One scene for all tests: each has an issue of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.github.scene import Scene
from tests.github.server import GitHubServer
from tests.telegram.worker import Worker


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("github"))
    yield made
    made.close()


@pytest.fixture
def github(scene: Scene) -> Iterator[GitHubServer]:
    yield scene.github
    scene.github.faults.clear()
    scene.services.redis.delete("scar:hold:shop")  # what a test left unfinished stops no other


@pytest.fixture
def issue(github: GitHubServer) -> int:
    return github.issue()


@pytest.fixture
def worker(scene: Scene) -> Worker:
    return scene.worker
