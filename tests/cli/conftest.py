"""One SCAR for all tests that only ask it something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installation import Installation

VIEWER = "only-for-looking-123"


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(
        tmp_path_factory.mktemp("running"),
        SCAR_API_TOKENS=f"phone:viewer:{VIEWER}",
        SCAR_CONFIRM_SECONDS="20",
    )
    none = "scar-test-no-such-project"  # the Engine may run a project `shop` of somebody's
    installation.project("shop", "scar-test-no-such-container", compose_project=none)
    installation.up()
    yield installation
    installation.down()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation that a test starts and ends itself."""
    made = Installation(tmp_path)
    yield made
    made.down()
