"""`python -m tests.bench [--short]`: every number of SCAR's that has a limit, in one table."""

from __future__ import annotations

import argparse
import signal
import sys

from rich.console import Console

from tests.bench import alerts, deploy, events, follow, jobs, memory, pages, status, sync
from tests.bench.scene import BenchScene
from tests.bench.table import Row, at_most, show


def main() -> int:
    """Print the table; return 0 unless something is broken. Whether a missed limit matters is for a
    person to judge.
    """
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer rounds, in under a minute")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    console = Console(width=None if sys.stdout.isatty() else 130)
    rows: list[Row] = []
    with BenchScene() as scene, console.status("measuring"):
        for part in (status, events, jobs, deploy, alerts, memory, follow, pages):
            rows += part.rows(scene, short=asked.short)
    files = sync.rows(1, 2000) if asked.short else sync.rows()
    for name, scar, rsync, _, limit in files:
        rows.append(at_most(name, scar, rsync, limit, against="rsync"))
    show(rows, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
