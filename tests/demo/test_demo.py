"""The demo ends with 0, as `make demo` needs it to."""

from __future__ import annotations

import subprocess
import sys


def test_the_demo_runs_to_its_end() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.demo"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Deployment complete!" in done.stdout
    assert " 0 failed, the slowest" in done.stdout or "without downtime: " in done.stdout
