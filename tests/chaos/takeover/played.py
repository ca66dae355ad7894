"""`python -m tests.chaos.takeover.played OTHER MACHINE ENGINE`: what is played on one machine.

It runs in the machine's network namespace; OTHER is that of the machine beside it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.engine import PrivateEngine

from .kills import play_kills
from .machines import MACHINES, engine_of
from .scene import Outside, TakeoverScene

_LONG_SERIES = 10


@dataclass
class PlayedJobs:
    """Jobs of one kind on one machine, and what was seen from outside while they ran."""

    machine: str
    kind: str
    times: list[tuple[float, float]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def row(self, answers: Sequence[Outside]) -> str:
        """Return the row of the table."""
        failed = [
            said for a in answers for begin, end in self.times for said in a.within(begin, end)
        ]
        cuts = max((a.most_cuts(*time) for a in answers for time in self.times), default=0)
        seconds = sorted(end - begin for begin, end in self.times)
        slow = [
            took
            for a in answers
            for at, took in a.slow
            if any(begin <= at <= end for begin, end in self.times)
        ]
        return (
            f"| {self.machine} | {self.kind} | {len(self.times)} | {len(failed)} "
            f"| {max(slow, default=0.05):.2f} s | {cuts} | {seconds[len(seconds) // 2]:.1f} s "
            f"| {len(self.violations)} |"
            + "".join(f"\n    {said}" for said in [*failed[:5], *self.violations])
        )


def _series(scene: TakeoverScene, name: str, counts: dict[str, int]) -> int:
    """Play so many jobs of each kind under requests; return how much was wrong."""
    played = [PlayedJobs(name, kind) for kind, count in counts.items() if count]
    with scene.asked() as answers:
        for jobs in played:
            for _ in range(counts[jobs.kind]):
                begun = time.time()
                job = scene.do(jobs.kind)
                jobs.violations += scene.violations(jobs.kind, job)
                jobs.times.append((begun, time.time()))
    for jobs in played:
        print(jobs.row(answers), flush=True)
    new, kept = sum(a.made for a in answers), sum(a.requests for a in answers)
    failed = sum(len(a.failed) for a in answers)
    worst = max(a.worst for a in answers)
    print(
        f"    {name}: {new} new connections, {failed} failed, the slowest took {worst:.2f} s; "
        f"{kept} requests over kept ones, {sum(len(a.cut) for a in answers)} cut",
        flush=True,
    )
    return failed + sum(len(jobs.violations) for jobs in played)


def _longer(scene: TakeoverScene, name: str, times: int = 3) -> None:
    """Print how long a deploy takes without and with a stand-in: the medians."""
    medians = []
    for wanted in (False, True):
        scene.scene.configure(zero_downtime=wanted)
        seconds = []
        for _ in range(times):
            begun = time.monotonic()
            scene.do("deploy")
            seconds.append(time.monotonic() - begun)
        medians.append(sorted(seconds)[times // 2])
    print("    {}: a deploy takes {:.1f} s, with a stand-in {:.1f} s".format(name, *medians))


def _play(asked: argparse.Namespace, engine: PrivateEngine) -> int:
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        scene = TakeoverScene(Path(folder), MACHINES[asked.machine], asked.other)
        try:
            scene.begin()
            if asked.deploys:
                kinds = ("rollback", "failed deploy", "restart")
                others = max(1, asked.deploys // 5)
                counts = {"deploy": asked.deploys, **dict.fromkeys(kinds, others)}
                if asked.deploys >= _LONG_SERIES:
                    _longer(scene, asked.machine)
                wrong += _series(scene, asked.machine, counts)
            if asked.kills:
                wrong += play_kills(scene, engine, asked.kills)
        except AssertionError as error:
            print(f"    {asked.machine}: {error}\n{scene.scene.installation.log[-2000:]}")
            wrong += 1
        finally:
            scene.scene.remove()
    return wrong


def main() -> int:
    """Exit 0 where everything was as it should be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("other")
    parser.add_argument("machine", choices=MACHINES)
    parser.add_argument("engine")
    parser.add_argument("--deploys", type=int, default=0)
    parser.add_argument("--kills", default="")
    asked = parser.parse_args()
    with engine_of(MACHINES[asked.machine], asked.engine) as engine:
        return 1 if _play(asked, engine) else 0


if __name__ == "__main__":
    sys.exit(main())
