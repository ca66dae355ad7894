"""The short form of `make chaos` for deploys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .deploys import Chaos, run
from .engine import PrivateEngine


@pytest.fixture
def own_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateEngine | None]:
    """One that may be killed; None where there can be none, and no Engine is killed."""
    if not PrivateEngine.possible():
        yield None
        return
    engine = PrivateEngine("chaostest")
    try:
        for name, value in engine.up().items():
            monkeypatch.setenv(name, value)
        yield engine
    finally:
        engine.remove()


@pytest.mark.timeout(600)
def test_production_is_old_or_new_whatever_breaks(
    tmp_path: Path, own_engine: PrivateEngine | None
) -> None:
    chaos = Chaos(tmp_path, seed=11, engine=own_engine)
    try:
        chaos.begin()
        done = run(chaos, len(chaos.faults.by_name), lambda found: print(found))
    finally:
        chaos.end()
    assert [str(found) for found in done if found.violations] == []
