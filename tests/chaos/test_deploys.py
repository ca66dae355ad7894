"""The short form of `make chaos` for deploys."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.conftest import image as image

from .deploys import Chaos, run


@pytest.mark.timeout(600)
def test_production_is_old_or_new_whatever_breaks(tmp_path: Path) -> None:
    chaos = Chaos(tmp_path, seed=11)
    try:
        chaos.begin()
        done = run(chaos, 14, lambda found: print(found))
    finally:
        chaos.end()
    assert [str(found) for found in done if found.violations] == []
