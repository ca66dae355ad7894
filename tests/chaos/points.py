"""A kill at each system call of a reference deploy, and at each one of its recovery.

A call is counted in each process, and a job is in the hands of one.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from scar.jobs.record import Job, JobState
from tests.cli.home import eventually
from tests.deploy.kill_at import KillAt

from .deploys import Chaos
from .table import Round

_THROUGH = 3
"""So many in a row that met no kill, and every call has been met."""


def killed_deploy(chaos: Chaos, number: int) -> tuple[Round, bool]:
    """A reference deploy killed at its `number`-th call; whether it was. The one that recovers is
    not traced.
    """

    def play(kind: str) -> tuple[Job, bool]:
        with KillAt(chaos.shop.pool(), number) as kill:
            return chaos.end_of(chaos.ask(kind)), kill.hit

    return _played(chaos, number, f"deploy killed at call {number}", play)


def killed_undoing(chaos: Chaos, number: int) -> tuple[Round, bool]:
    """A deploy killed once its containers are up, and its recovery at its `number`-th call."""

    def play(kind: str) -> tuple[Job, bool]:
        job = chaos.ask(kind)
        chaos.shop.until_step(job, "verifying")
        before = chaos.shop.pool()
        chaos.faults.kill_pool()
        return _recovered(chaos, job, before, number, JobState.ROLLED_BACK)

    return _played(chaos, number, f"undoing killed at call {number}", play)


def killed_finishing(chaos: Chaos, number: int) -> tuple[Round, bool]:
    """A deploy killed just after its point of no return, and its recovery at its `number`-th."""
    written = [record["what"] for record in chaos.journal.records]
    commit = written.index("starting") + 2  # each record is one call, and that is the next one
    journal = chaos.state / "projects" / "shop" / "journal.jsonl"

    def play(kind: str) -> tuple[Job, bool]:
        before = chaos.shop.pool()
        with KillAt(before, commit, "pwrite64", journal) as kill:
            job = chaos.ask(kind)
            eventually(lambda: kill.hit, "it was killed")
        return _recovered(chaos, job, before, number, JobState.SUCCEEDED)

    return _played(chaos, number, f"finishing killed at call {number}", play)


def _recovered(
    chaos: Chaos, job: Job, before: list[int], number: int, wanted: JobState
) -> tuple[Job, bool]:
    """The job's end; those that do jobs now are killed at that call."""

    def others() -> list[int]:
        found = chaos.shop.pool()
        return found if len(found) == len(before) and found != before else []

    with KillAt(eventually(others, "the pool is whole again"), number) as kill:
        job = chaos.end_of(job)
        assert job.state is wanted, f"{job.state}, not {wanted} ({job.error})"
        return job, kill.hit


def _played(
    chaos: Chaos, number: int, name: str, play: Callable[[str], tuple[Job, bool]]
) -> tuple[Round, bool]:
    kind = chaos.prepare_good(number)
    found, hit = Round(number, kind, name, 0.0), False
    before = chaos.standing()
    begun = time.monotonic()
    try:
        job, hit = play(kind)
        found.seconds, found.state = time.monotonic() - begun, job.state.value
        found.violations += chaos.judge(job, before)
    except AssertionError as wrong:
        found.violations.append(str(wrong))
    return found, hit


def run_points(chaos: Chaos, every: int, first: int, told: Callable[[Round], None]) -> list[Round]:
    """Kills at every `every`-th system call from the `first` on, until all have been met."""
    done: list[Round] = []
    for play in (killed_deploy, killed_undoing, killed_finishing):
        number, through = first, 0
        while through < _THROUGH:
            found, hit = play(chaos, number)
            if not hit:
                found.fault = f"{found.fault.partition(' ')[0]} met no kill"
            done.append(found)
            told(found)
            through = 0 if hit else through + 1
            number += every
    return done
