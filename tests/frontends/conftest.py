"""A real API, a real Redis and a worker under control; the front-end runs in the test itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.telegram.scene import Scene


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("letters"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _calm(scene: Scene) -> Iterator[None]:
    yield
    scene.services.redis.delete("scar:hold:shop")
