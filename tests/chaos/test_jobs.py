"""The short form of `make chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from .jobs import Fleet, run


@pytest.mark.timeout(240)
def test_no_job_is_lost_or_run_twice_under_faults(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, projects=6)
    try:
        fleet.begin()
        findings = run(fleet, jobs=60, worker_kills=3, redis_kills=2, seed=20)
    finally:
        fleet.end()
    assert findings.violations == [], str(findings)
    assert findings.accepted >= 60
