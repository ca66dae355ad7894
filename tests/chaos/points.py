"""Kills the worker at each system call of a reference deploy and of its recovery. The process that
runs the job is killed, then the one that recovers it; the next recovery is left to finish.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from scar.jobs.record import Job, JobState
from tests.support.kill_at import Counted, KillAt, Traced
from tests.support.waiting import eventually

from .deploys import Chaos
from .table import Round

_CALLS = (
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat", "symlink"),
    *("symlinkat", "mkdir", "mkdirat", "rmdir", "fsync", "fdatasync", "syncfs", "ftruncate"),
    *("fallocate", "write", "pwrite64", "fchmod", "fchown", "utimensat", "flock", "sendto"),
    *("sendmsg", "connect", "vfork", "clone3", "kill"),
)
"""What changes the disk, asks the Engine or Redis for something, or starts a process."""

_Trace = Callable[[list[int]], Traced]
_Play = Callable[[Chaos, _Trace], tuple[Job, Traced]]


def _deploy(chaos: Chaos, trace: _Trace) -> tuple[Job, Traced]:
    """A deploy that is traced."""
    with trace(chaos.scene.pool()) as traced:
        return chaos.end_of(chaos.ask("deploy")), traced


def _undoing(chaos: Chaos, trace: _Trace) -> tuple[Job, Traced]:
    """A deploy killed once its containers are up; its recovery is traced."""
    job = chaos.ask("deploy")
    chaos.scene.until_step(job, "verifying")
    before = chaos.scene.pool()
    chaos.faults.kill_pool()
    return _recovered(chaos, job, before, trace, JobState.ROLLED_BACK)


def _finishing(chaos: Chaos, trace: _Trace) -> tuple[Job, Traced]:
    """A deploy killed just after its point of no return; its recovery is traced."""
    written = [record["what"] for record in chaos.journal.records]
    commit = written.index("starting") + 2  # each record is one call, and that is the next one
    before = chaos.scene.pool()
    with KillAt(before, "pwrite64", commit, chaos.journal_path) as kill:
        job = chaos.ask("deploy")
        eventually(lambda: kill.hit, "it was killed")
    return _recovered(chaos, job, before, trace, JobState.SUCCEEDED)


def _recovered(
    chaos: Chaos, job: Job, before: list[int], trace: _Trace, wanted: JobState
) -> tuple[Job, Traced]:
    """The job's end; those that do jobs now are traced."""

    def others() -> list[int]:
        pool = chaos.scene.pool()
        return pool if len(pool) == len(before) and pool != before else []

    with trace(eventually(others, "the pool is whole again")) as traced:
        job = chaos.end_of(job)
        assert job.state is wanted, f"{job.state}, not {wanted} ({job.error})"
        return job, traced


_PLAYS: dict[str, _Play] = {"deploy": _deploy, "undoing": _undoing, "finishing": _finishing}


def run_points(chaos: Chaos, every: int, first: int, told: Callable[[Round], None]) -> list[Round]:
    """Counts what is called, then kills at every `every`-th of each call, from the `first` on."""
    done: list[Round] = []

    def play(name: str, trace: _Trace, what: str) -> Traced | None:
        one_round, traced = _played(chaos, len(done) + 1, f"{name} {what}", _PLAYS[name], trace)
        if "killed" in what and traced is not None and not traced.hit:
            one_round.fault = f"{name} met no kill"
        done.append(one_round)
        told(one_round)
        return traced

    for name in _PLAYS:
        counted = play(name, partial(Counted, calls=_CALLS), "counted")
        assert isinstance(counted, Counted), done[-1].violations
        for call, times in sorted(counted.made.items()):
            for number in range(first, times + 1, every):
                traced = play(name, partial(_kill_at, call, number), f"killed at {call} {number}")
                if traced is not None and not traced.hit:
                    break  # the one that was counted had more of them: a sweep, a first time
    return done


def _kill_at(call: str, number: int, pids: Sequence[int]) -> Traced:
    return KillAt(pids, call, number)


def _played(
    chaos: Chaos, number: int, name: str, play: _Play, trace: _Trace
) -> tuple[Round, Traced | None]:
    kind = chaos.prepare_reference(number)
    one_round, traced = Round(number, kind, name, 0.0), None
    before = chaos.standing()
    begun = time.monotonic()
    try:
        job, traced = play(chaos, trace)
        one_round.seconds, one_round.state = time.monotonic() - begun, job.state.value
        one_round.violations += chaos.judge(job, before)
    except AssertionError as wrong:
        one_round.violations.append(str(wrong))
    return one_round, traced
