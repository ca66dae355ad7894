"""One scene for all tests: each has an issue of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.acting_worker import ActingWorker
from tests.support.github_scene import GitHubScene
from tests.support.github_server import GitHubServer


@pytest.fixture(scope="package")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubScene]:
    made = GitHubScene(tmp_path_factory.mktemp("github"))
    yield made
    made.close()


@pytest.fixture
def github(scene: GitHubScene) -> Iterator[GitHubServer]:
    yield scene.github
    scene.github.faults.clear()
    scene.services.redis.delete("scar:hold:shop")  # what a test left unfinished stops no other


@pytest.fixture
def issue(github: GitHubServer) -> int:
    return github.issue()


@pytest.fixture
def worker(scene: GitHubScene) -> ActingWorker:
    return scene.worker
