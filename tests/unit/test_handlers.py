"""No changing job skips recovery or the comparison with the plan that was confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest

from scar.errors import ScarError
from scar.jobs.record import JobState
from scar.jobs.results import job_kinds
from scar.jobs.results.follow import FollowResult
from scar.jobs.results.job_kind import JobPlan
from tests.support.job_context import job_context, settings_in
from workers.registry import Handler, handlers
from workers.runtime.context import JobContext
from workers.runtime.handlers import Execution, PlanChanged, ReadJob, WriteJob
from workers.runtime.outcome import Outcome

DONE = Outcome(JobState.SUCCEEDED, FollowResult("web", 0))
WRITE_JOBS = [handler for handler in handlers().values() if isinstance(handler, WriteJob)]


class Recorded(WriteJob[str, JobPlan, FollowResult]):
    """A kind that notes the order in which its steps are called."""

    kind = "recorded"

    def __init__(self, recovered: Outcome[FollowResult] | None = None) -> None:
        self.calls: list[str] = []
        self.recovered = recovered

    @contextmanager
    def _held(self, what: str) -> Iterator[int]:
        self.calls.append(what)
        yield 7
        self.calls.append(f"end of {what}")

    def lock(self, _context: JobContext, /) -> AbstractContextManager[int]:
        return self._held("lock")

    def recover(self, _context: JobContext, lock: int, /) -> Outcome[FollowResult] | None:
        self.calls.append(f"recover with {lock}")
        return self.recovered

    def prepare(self, _context: JobContext, /) -> None:
        self.calls.append("prepare")

    def checking(self, _context: JobContext, /) -> AbstractContextManager[object]:
        return self._held("checking")

    def reading(self, _context: JobContext, /) -> AbstractContextManager[object]:
        return self._held("reading")

    def make_plan(self, _context: JobContext, /) -> tuple[str, JobPlan]:
        self.calls.append("plan")
        return "work", JobPlan(hash="b")

    def execute(
        self, _context: JobContext, work: str, execution: Execution[JobPlan], /
    ) -> Outcome[FollowResult]:
        self.calls.append(f"execute {work} with {execution.lock}")
        execution.sources.close()
        return DONE


@pytest.fixture
def context(tmp_path: Path) -> JobContext:
    return job_context("recorded", {}, settings_in(tmp_path))


@pytest.mark.parametrize("confirmed", ["b", None])
def test_a_write_job_recovers_then_plans_then_executes(
    context: JobContext, confirmed: str | None
) -> None:
    job = Recorded()
    assert job.run(context, confirmed) is DONE
    assert job.calls == [
        "lock", "recover with 7", "prepare", "checking", "reading", "plan", "end of checking",
        "execute work with 7", "end of reading", "end of lock",
    ]  # fmt: skip


def test_a_job_that_was_finished_by_recovery_changes_nothing_more(context: JobContext) -> None:
    job = Recorded(Outcome(JobState.ROLLED_BACK, None, ScarError("worker_lost", "Lost", "")))
    assert job.run(context, "b") is job.recovered
    assert job.calls == ["lock", "recover with 7", "end of lock"]


def test_a_confirmation_of_another_plan_changes_nothing(context: JobContext) -> None:
    job = Recorded()
    with pytest.raises(PlanChanged) as changed:
        job.run(context, "a")
    assert changed.value.plan.hash == "b"
    assert not [call for call in job.calls if call.startswith("execute")]


def test_the_question_is_asked_without_a_lock(context: JobContext) -> None:
    job = Recorded()
    assert job.plan(context).hash == "b"
    assert job.calls == ["reading", "plan", "end of reading"]


class Settled(Recorded):
    """One for which nothing is left to do, and which another job may hold."""

    held = False

    def refuse_held(self, _context: JobContext, /) -> None:
        self.calls.append("refuse held")
        if self.held:
            raise ScarError("busy", "Held", "")

    def already_done(self, _context: JobContext, _plan: JobPlan, /) -> Outcome[FollowResult]:
        return DONE


def test_no_second_question_is_asked_if_nothing_is_left_to_do(context: JobContext) -> None:
    job = Settled()
    assert job.run(context, "a") is DONE
    assert not [call for call in job.calls if call.startswith("execute")]


def test_no_plan_is_made_while_another_job_holds_the_lock(context: JobContext) -> None:
    job = Settled()
    job.held = True
    with pytest.raises(ScarError, match="Held"):
        job.plan(context)
    assert job.calls == ["refuse held"]


@pytest.mark.parametrize("handler", WRITE_JOBS, ids=lambda handler: str(handler.kind))
def test_no_kind_of_job_changes_the_order_of_the_steps(handler: WriteJob[Any, Any, Any]) -> None:
    assert type(handler).run is WriteJob.run
    assert type(handler).plan is WriteJob.plan


@pytest.mark.parametrize("missing", ["lock", "recover", "make_plan", "execute"])
def test_a_handler_that_lacks_one_of_the_steps_cannot_be_created(missing: str) -> None:
    steps = {name: getattr(Recorded, name) for name in ("lock", "recover", "make_plan", "execute")}
    del steps[missing]
    incomplete = type("Incomplete", (WriteJob,), {**steps, "kind": "incomplete"})
    with pytest.raises(TypeError, match=missing):
        incomplete()


@pytest.mark.parametrize("kind", sorted(handlers()))
def test_a_handler_returns_the_plan_and_the_result_of_its_kind(kind: str) -> None:
    handler, known = handlers()[kind], job_kinds()[kind]
    types = _types_of(handler)
    assert types[-1] is known.result
    assert (types[1] if isinstance(handler, WriteJob) else None) is known.plan


def _types_of(handler: Handler) -> tuple[Any, ...]:
    """Return what the generic class that a handler is made from was given."""
    for made_from in type(handler).__mro__:
        for base in getattr(made_from, "__orig_bases__", ()):
            if getattr(base, "__origin__", None) in (ReadJob, WriteJob):
                return get_args(base)
    raise AssertionError(f"{type(handler).__name__} names no types")
