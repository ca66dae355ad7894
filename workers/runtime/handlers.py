"""The base classes of handlers, which execute one kind of job: `ReadJob` and `WriteJob`."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from typing import ClassVar, Generic, TypeVar, final

from scar.jobs.results.job_kind import JobPlan
from workers.runtime.context import JobContext
from workers.runtime.interruption import interruptible
from workers.runtime.outcome import Outcome, ResultT

WorkT = TypeVar("WorkT")
PlanT = TypeVar("PlanT", bound=JobPlan)


class ReadJob(ABC, Generic[ResultT]):
    """A handler for a kind of job that only reads."""

    kind: ClassVar[str]

    @final
    def read(self, context: JobContext) -> ResultT:
        """Return the job's result. Raises `ScarError`; a cancellation ends it within a second."""
        return interruptible(context.check, lambda: self.answer(context))

    @abstractmethod
    def answer(self, context: JobContext, /) -> ResultT:
        """Return the result of the request. May be interrupted at any place, so it must change
        nothing.
        """


class PlanChanged(Exception):
    """Raised if planning again gives another plan than the one that was confirmed; `plan` is the
    new one.
    """

    def __init__(self, plan: JobPlan) -> None:
        super().__init__("the plan has changed")
        self.plan = plan


@dataclass(frozen=True)
class Execution(Generic[PlanT]):
    """A plan that may be executed now.

    `lock` is the descriptor of the lock that the job holds, to be inherited by the commands it
    starts. `sources` holds the context manager of `WriteJob.reading`; `execute` may close it early.
    `started` is when planning began, in seconds of the monotonic clock.
    """

    plan: PlanT
    lock: int
    sources: ExitStack
    started: float


class WriteJob(ABC, Generic[WorkT, PlanT, ResultT]):
    """A handler for a kind of job that changes something.

    `run` is the same for every kind: take the lock, recover interrupted work, plan, compare the
    plan with the confirmed one, execute. Subclasses implement these steps, not their order. `WorkT`
    is the type of the plan with everything needed to execute it, `PlanT` that of its description in
    the question.
    """

    kind: ClassVar[str]

    @final
    def plan(self, context: JobContext) -> PlanT:
        """Return what would be done. Changes nothing.

        Raises `busy` if another job holds the lock.
        """
        self.refuse_held(context)
        with self.reading(context):
            work, plan = interruptible(context.check, lambda: self.make_plan(context))
        self.remember_shown(context, work)
        return plan

    @final
    def run(self, context: JobContext, confirmed: str | None) -> Outcome[ResultT]:
        """Run the job. `confirmed` is the hash of the plan that a person confirmed; None if the
        kind needs no confirmation.

        Raises `PlanChanged`, without having changed anything, if planning gives another hash now;
        but not if nothing is left to do.
        """
        with self.lock(context) as lock, ExitStack() as sources:
            recovered = self.recover(context, lock)
            if recovered is not None:
                return recovered
            self.prepare(context)
            started = time.monotonic()
            with self.checking(context):
                sources.enter_context(self.reading(context))
                work, plan = interruptible(context.check, lambda: self.make_plan(context))
            if confirmed is not None and plan.hash != confirmed:
                done = self.already_done(context, plan)
                if done is not None:
                    return done
                raise PlanChanged(replace(plan, since_shown=self.changes_since(context, work)))
            return self.execute(context, work, Execution(plan, lock, sources, started))

    @abstractmethod
    def lock(self, context: JobContext, /) -> AbstractContextManager[int]:
        """Hold the lock of what the job changes; yield the lock's descriptor. Raises `busy`."""

    @abstractmethod
    def recover(self, context: JobContext, lock: int, /) -> Outcome[ResultT] | None:
        """Finish or undo what a killed worker had begun, for this job or another.

        Returns this job's outcome if it is thereby done, or if it must not go on; otherwise None.
        """

    def refuse_held(self, context: JobContext, /) -> None:
        """Raise `busy` if another job holds the lock, so that no question is asked in vain."""

    def already_done(self, _context: JobContext, _plan: PlanT, /) -> Outcome[ResultT] | None:
        """Return the outcome if the plan leaves nothing to do, so that no question is necessary;
        otherwise None.
        """
        return None

    def remember_shown(self, context: JobContext, work: WorkT, /) -> None:
        """Store what the question shows, for `changes_since`."""

    def changes_since(self, _context: JobContext, _work: WorkT, /) -> tuple[str, ...]:
        """Return what has changed since the question was asked, one sentence each, and store what
        the next question shows.
        """
        return ()

    def prepare(self, context: JobContext, /) -> None:
        """Do what must precede planning, such as updating the workspace; by default nothing."""

    def checking(self, _context: JobContext, /) -> AbstractContextManager[object]:
        """Return a context manager that surrounds planning in `run`, such as a step of progress."""
        return nullcontext()

    def reading(self, _context: JobContext, /) -> AbstractContextManager[object]:
        """Return a context manager that keeps the plan's sources from being changed until the
        plan was executed.
        """
        return nullcontext()

    @abstractmethod
    def make_plan(self, context: JobContext, /) -> tuple[WorkT, PlanT]:
        """Return what has to be done, and how the question shows it. Changes nothing, and may be
        interrupted at any place.

        The description's `hash` must cover everything that a person confirms: a confirmation is
        valid only if planning again gives the same hash.
        """

    @abstractmethod
    def execute(
        self, context: JobContext, work: WorkT, execution: Execution[PlanT], /
    ) -> Outcome[ResultT]:
        """Execute the plan; raise `ScarError`, or return the outcome of a failure."""
