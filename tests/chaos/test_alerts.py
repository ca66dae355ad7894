"""The short form of the kill rounds for alerts."""

from __future__ import annotations

from pathlib import Path

import pytest

from .alerts import AlertChaos


@pytest.mark.timeout(240)
def test_no_alert_is_lost_or_told_twice_while_worker_and_redis_are_killed(tmp_path: Path) -> None:
    chaos = AlertChaos(tmp_path, seed=11)
    try:
        chaos.begin()
        for part in ("worker", "redis"):
            assert chaos.round(part) == [], chaos.installation.log
    finally:
        chaos.end()
