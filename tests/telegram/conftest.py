"""One scene for all tests: each has its own people and chats."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.botapi import Chat
from tests.telegram.scene import Scene
from tests.telegram.worker import Worker


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("scene"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _calm(scene: Scene) -> Iterator[None]:
    yield
    scene.telegram.clear_faults()
    scene.telegram.limits(False)
    scene.services.redis.delete("scar:hold:shop")  # what a test left unfinished stops no other


@pytest.fixture
def worker(scene: Scene) -> Worker:
    return scene.worker


@pytest.fixture
def chat(scene: Scene) -> Chat:
    return scene.chat()
