"""The short form measures everything that the long one does."""

from __future__ import annotations

import subprocess
import sys

import pytest

NAMES = (
    "status through the queue",
    "event to line",
    "200 open pages",
    "jobs through API and queue",
    "deploy of one changed service",
    "deploy without a change",
    "rollback to the release before",
    "alert in the chat",
    "memory, idle",
    "log lines followed",
    "files: no change",
    "files: 1 % changed",
)


@pytest.mark.timeout(400)
def test_a_short_benchmark_reports_every_required_number() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--short"],
        capture_output=True,
        text=True,
        check=False,
        timeout=380,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert [name for name in NAMES if name not in done.stdout] == []
