"""`make chaos`: breaks every part at random instants, and checks the result.

First jobs are asked for while the worker and Redis are killed; then `--alerts` rounds of a
container that goes wrong while a part is killed; then `--rounds` deploys and rollbacks each meet a
fault, on an Engine of their own where one can be set up. Several runs can go side by side, each
with another `--engine`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from . import alerts, deploys, jobs
from .engine import PrivateEngine
from .points import run_points
from .table import Round, table

_KILLS = 20


def main() -> int:
    """Exit 0 where nothing was lost, nothing done twice, and production was old or new."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="deploys that meet a fault")
    parser.add_argument("--points", type=int, default=0, help="one kill every so many system calls")
    parser.add_argument("--first", type=int, default=1, help="the first of these system calls")
    parser.add_argument("--jobs", type=int, default=500, help="0 leaves the first part out")
    parser.add_argument("--alerts", type=int, default=0, help="rounds of alerts, each with a kill")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--engine", default="chaos", help="the name of its own Engine")
    parser.add_argument("--out", type=Path, help="a file that gets a JSON line for each round")
    asked = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(f"seed {asked.seed} (again with --seed {asked.seed})")
    with _own_engine(asked.engine, console) as engine:
        wrong = _jobs(asked.jobs, asked.seed, console) if asked.jobs else 0
        wrong += _alerts(asked.alerts, asked.seed, engine, console) if asked.alerts else 0
        wrong += _deploys(asked, engine, console) if asked.rounds or asked.points else 0
    return 1 if wrong else 0


@contextmanager
def _own_engine(name: str, console: Console) -> Iterator[PrivateEngine | None]:
    if not PrivateEngine.possible():
        console.print("no Engine of its own (that needs root on a Debian): none is restarted")
        yield None
        return
    engine = PrivateEngine(name)
    try:
        os.environ.update(engine.up())
        yield engine
    finally:
        engine.remove()


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


def _alerts(rounds: int, seed: int, engine: PrivateEngine | None, console: Console) -> int:
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        chaos = alerts.AlertChaos(Path(folder), seed, engine)
        try:
            chaos.begin()
            for number, part in enumerate(alerts.parts(rounds, engine), 1):
                violations = chaos.round(part)
                wrong += len(violations)
                console.print(f"{number:4} alert, {part} kill -9: {violations or 'told once'}")
        finally:
            chaos.end()
    console.print(f"{rounds} rounds of alerts, {wrong} lost or told twice")
    return wrong


def _deploys(asked: argparse.Namespace, engine: PrivateEngine | None, console: Console) -> int:
    def told(one_round: Round) -> None:
        console.print(str(one_round), markup=False)
        if asked.out:
            one_round.written(asked.out, asked.seed)

    with tempfile.TemporaryDirectory() as folder:
        chaos = deploys.Chaos(Path(folder), asked.seed, engine)
        try:
            chaos.begin()
            done = run_points(chaos, asked.points, asked.first, told) if asked.points else []
            done += deploys.run(chaos, asked.rounds, told)
        finally:
            chaos.end()
    for line in table(done):
        console.print(line, markup=False)
    return sum(len(one_round.violations) for one_round in done)


if __name__ == "__main__":
    sys.exit(main())
