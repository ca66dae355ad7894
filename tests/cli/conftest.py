"""One SCAR for all tests that only ask it something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .home import Home

VIEWER = "only-for-looking-123"


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(
        tmp_path_factory.mktemp("running"),
        SCAR_API_TOKENS=f"phone:viewer:{VIEWER}",
        SCAR_CONFIRM_SECONDS="20",
    )
    home.project("shop", "scar-test-no-such-container")
    home.up()
    yield home
    home.down()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """One that a test starts and ends itself."""
    made = Home(tmp_path)
    yield made
    made.down()
