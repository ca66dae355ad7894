"""One scene for all tests: each has its own people and chats."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.acting_worker import ActingWorker
from tests.support.botapi import Chat
from tests.support.telegram_scene import TelegramScene


@pytest.fixture(scope="package")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TelegramScene]:
    made = TelegramScene(tmp_path_factory.mktemp("scene"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _calm(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "scene" in request.fixturenames:
        scene: TelegramScene = request.getfixturevalue("scene")
        scene.telegram.clear_faults()
        scene.telegram.limits(False)
        # What a test left unfinished stops no other.
        scene.services.redis.delete("scar:hold:shop")


@pytest.fixture
def worker(scene: TelegramScene) -> ActingWorker:
    return scene.worker


@pytest.fixture
def chat(scene: TelegramScene) -> Chat:
    return scene.chat()
