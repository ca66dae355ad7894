"""`make chaos`: kills the worker and Redis under load, and says what was lost."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from .jobs import Fleet, run


def main() -> int:
    """Exit 0 where nothing was lost and nothing done twice."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="kills of the worker")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    console = Console()
    console.print(f"seed {asked.seed} (again with --seed {asked.seed})")
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), projects=6)
        try:
            fleet.begin()
            findings = run(
                fleet,
                jobs=asked.jobs,
                worker_kills=asked.rounds,
                redis_kills=(asked.rounds + 1) // 2,
                seed=asked.seed,
            )
        finally:
            fleet.end()
    console.print(str(findings))
    for violation in findings.violations:
        console.print(f"[red]{violation}[/red]")
    return 1 if findings.violations else 0


if __name__ == "__main__":
    sys.exit(main())
