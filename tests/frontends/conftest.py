"""A real API, a real Redis and a worker under control; the front-end runs in the test itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.telegram_scene import TelegramScene


@pytest.fixture(scope="package")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TelegramScene]:
    made = TelegramScene(tmp_path_factory.mktemp("letters"), part="console")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_leftovers(request: pytest.FixtureRequest) -> None:
    """Begin each test with an unlocked project and an empty box, since open messages of an earlier
    test would be resumed.
    """
    if "scene" in request.fixturenames:
        scene: TelegramScene = request.getfixturevalue("scene")
        scene.services.redis.delete("scar:hold:shop", "scar:watches:console")
