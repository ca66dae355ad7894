"""`python -m tests.bench [--short]`: every number of SCAR's that has a limit, in one table."""

from __future__ import annotations

import argparse
import signal
import sys

from rich.console import Console

from tests.bench import deploy, events, jobs, memory, status
from tests.bench.stage import Stage
from tests.bench.table import Row, show


def main() -> int:
    """0 unless something is broken; a number that is missed is for a person to judge."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer rounds, in under a minute")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    console = Console(width=None if sys.stdout.isatty() else 130)
    rows: list[Row] = []
    with Stage() as stage, console.status("measuring"):
        for part in (status, events, jobs, deploy, memory):
            rows += part.rows(stage, short=asked.short)
    show(rows, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
