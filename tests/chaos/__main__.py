"""`make chaos`: breaks everything at random instants, and looks what is left.

First jobs are asked for while the worker and Redis are killed; then `--rounds` deploys and
rollbacks each meet a fault.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from functools import partial
from pathlib import Path

from rich.console import Console

from . import deploys, jobs

_KILLS = 20


def main() -> int:
    """Exit 0 where nothing was lost, nothing done twice, and production was old or new."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="deploys that meet a fault")
    parser.add_argument("--points", type=int, default=0, help="one kill every so many system calls")
    parser.add_argument("--jobs", type=int, default=500, help="0 leaves the first part out")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(f"seed {asked.seed} (again with --seed {asked.seed})")
    wrong = _jobs(asked.jobs, asked.seed, console) if asked.jobs else 0
    return 1 if wrong + _deploys(asked.rounds, asked.points, asked.seed, console) else 0


def _jobs(count: int, seed: int, console: Console) -> int:
    with tempfile.TemporaryDirectory() as folder:
        fleet = jobs.Fleet(Path(folder), projects=6)
        try:
            fleet.begin()
            findings = jobs.run(
                fleet, jobs=count, worker_kills=_KILLS, redis_kills=_KILLS // 2, seed=seed
            )
        finally:
            fleet.end()
    console.print(str(findings))
    for violation in findings.violations:
        console.print(violation, style="red", markup=False)
    return len(findings.violations)


def _deploys(rounds: int, points: int, seed: int, console: Console) -> int:
    with tempfile.TemporaryDirectory() as folder:
        chaos = deploys.Chaos(Path(folder), seed)
        try:
            chaos.begin()
            told = partial(_tell, console)
            done = deploys.run_points(chaos, points, told) if points else []
            done += deploys.run(chaos, rounds, told)
        finally:
            chaos.end()
    console.print(
        "| fault | rounds | ends | slowest | violations |\n| --- | --- | --- | --- | --- |"
    )
    for line in deploys.table(done):
        console.print(line, markup=False)
    return sum(len(found.violations) for found in done)


def _tell(console: Console, found: deploys.Round) -> None:
    console.print(str(found), markup=False)


if __name__ == "__main__":
    sys.exit(main())
