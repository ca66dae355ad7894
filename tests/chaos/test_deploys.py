"""The short form of `make chaos` for deploys: every fault once, apart from those of the Engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from .deploys import Chaos, run


@pytest.mark.timeout(600)
def test_production_is_fully_old_or_fully_new_after_any_fault(tmp_path: Path) -> None:
    chaos = Chaos(tmp_path, seed=11)
    try:
        chaos.begin()
        done = run(chaos, len(chaos.faults.by_name), lambda played: print(played))
    finally:
        chaos.end()
    assert [str(played) for played in done if played.violations] == []
