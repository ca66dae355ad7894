"""The short form of `make chaos` for an Engine that is killed or ended during a deploy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .deploys import Chaos, run
from .engine import PrivateEngine
from .faults import ENGINE_FAULTS


@pytest.fixture
def own_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateEngine]:
    """An Engine that may be killed."""
    if not PrivateEngine.possible():
        pytest.skip("an Engine of its own needs root on a Debian")
    engine = PrivateEngine("chaostest")
    try:
        for name, value in engine.up().items():
            monkeypatch.setenv(name, value)
        yield engine
    finally:
        engine.remove()


@pytest.mark.timeout(600)
def test_production_is_fully_old_or_fully_new_after_the_docker_engine_is_killed(
    tmp_path: Path, own_engine: PrivateEngine
) -> None:
    chaos = Chaos(tmp_path, seed=11, engine=own_engine)
    try:
        chaos.begin()
        done = run(chaos, len(ENGINE_FAULTS), lambda played: print(played), ENGINE_FAULTS)
    finally:
        chaos.end()
    assert [str(played) for played in done if played.violations] == []
