"""What came of the rounds: one JSON line each, and the table of docs/chaos.md.

`python -m tests.chaos.table FILE...` adds up what `python -m tests.chaos --out FILE` has written.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Round:
    """What happened in one round, and what was wrong after it. `downtime` is what SCAR measured
    and what an independent prober did, in seconds, where both did.
    """

    number: int
    kind: str
    fault: str
    after: float
    state: str = ""
    seconds: float = 0.0
    downtime: tuple[float, float] | None = None
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        down = "; down {:.2f} s, from outside {:.2f} s".format(*self.downtime or (0, 0))
        wrong = [f"\n    {violation}" for violation in self.violations]
        return (
            f"{self.number:4} {self.kind:<8} {self.fault:<24} after {self.after:4.1f} s: "
            f"{self.state}, {self.seconds:.1f} s later"
            + (down if self.downtime else "")
            + "".join(wrong)
        )

    def written(self, path: Path, seed: int) -> None:
        """Adds it to the file."""
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**asdict(self), "seed": seed}) + "\n")


def read(paths: Iterable[Path]) -> list[Round]:
    """The rounds of several runs."""
    rounds = []
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            content = json.loads(line)
            del content["seed"]
            rounds.append(Round(**content))
    return rounds


def table(done: list[Round]) -> list[str]:
    """One line a fault: how often, how the jobs ended, how long that took, what was wrong."""
    lines = ["| fault | rounds | ends | slowest | violations |", "| --- | --- | --- | --- | --- |"]
    by_fault: dict[str, list[Round]] = {}
    for one_round in done:
        by_fault.setdefault(one_round.fault.partition(" at ")[0], []).append(one_round)
    for fault, mine in sorted(by_fault.items()):
        states = Counter(one_round.state or "no end" for one_round in mine)
        ends = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        slowest = max(one_round.seconds for one_round in mine)
        wrong = sum(len(one_round.violations) for one_round in mine)
        lines.append(f"| {fault} | {len(mine)} | {ends} | {slowest:.0f} s | {wrong} |")
    off = [abs(ours - theirs) for ours, theirs in (f.downtime for f in done if f.downtime)]
    if off:
        lines += ["", f"Downtime measured {len(off)} times, at most {max(off):.2f} s off."]
    return lines


if __name__ == "__main__":
    print("\n".join(table(read(Path(name) for name in sys.argv[1:]))))
