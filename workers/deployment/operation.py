"""A plan brought into production, or production left as it was: deploy and rollback."""

from __future__ import annotations

import time
from abc import abstractmethod
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import structlog

from scar.errors import ErrorRecord, ScarError
from scar.jobs.record import JobState
from workers.deployment.future_tree import drop_stale_trees
from workers.deployment.plan import Plan, shown
from workers.deployment.transaction import Transaction
from workers.engine.container import Container
from workers.engine.downtime import DowntimeProbe
from workers.engine.project_containers import project_containers
from workers.runtime.context import JobContext, Outcome, PlanChanged, WriteJob
from workers.runtime.reporter import JobLost
from workers.state.job_log import JobLog
from workers.state.journal import Journal
from workers.state.project_lock import project_lock
from workers.state.releases import Releases

_log = structlog.get_logger(__name__)
_LATER = (
    ("copying", "Copying files"),
    ("building", "Building new image"),
    ("restarting", "Restarting containers"),
    ("verifying", "Verifying"),
)
_AS_BEFORE = "Production has the files and images it had before, and its containers are up."
_NONE_AS_BEFORE = "Production has the files it had before, and no containers, as before."
_TOO_LATE = "It was cancelled too late: everything was done. /docker_rollback goes back."
_ENGINE_SECONDS = 45.0
_LOST = ScarError(
    "worker_lost",
    "The worker was killed while it worked on production",
    "Nothing is lost; ask again.",
)
_UNTOUCHED = "Production was not touched."


class DeploymentOperation(WriteJob):
    """Checking, copying, building, restarting, verifying; rolling back where one of them fails."""

    @abstractmethod
    def make(self, context: JobContext) -> Plan:
        """The plan; changes nothing."""

    def reading(self, context: JobContext) -> AbstractContextManager[object]:  # noqa: ARG002
        """Held while the plan is made and contents are taken in, so that nobody changes them."""
        return nullcontext()

    def prepare(self, context: JobContext) -> None:
        """What has to come before the look at what differs; nothing, unless a kind says so."""

    def plan(self, context: JobContext) -> dict[str, Any]:
        """What would be copied, built and restarted."""
        with self.reading(context):
            return shown(self.make(context), context)

    def run(self, context: JobContext, confirmed: str | None) -> Outcome:
        """Rolls the plan out, once an earlier rollout that was cut off is settled."""
        with project_lock(context.folder, context.check) as lock:
            settled = settle(context, lock)
            if settled is not None:
                return settled
            self.prepare(context)
            transaction = Transaction(context, Journal(context.folder), lock)
            with ExitStack() as reading:
                return self._roll_out(context, transaction, confirmed, reading)

    def _roll_out(
        self,
        context: JobContext,
        transaction: Transaction,
        confirmed: str | None,
        reading: ExitStack,
    ) -> Outcome:
        begun = time.monotonic()
        with context.step("checking", "Checking"):
            reading.enter_context(self.reading(context))
            plan = self.make(context)
        if confirmed is not None and plan.hash != confirmed:
            raise PlanChanged(shown(plan, context))
        context.announce(*_LATER)
        if plan.nothing:
            for name, _ in _LATER:
                context.skip(name)
            return Outcome(JobState.SUCCEEDED, {"nothing": True, **_primary(context)})
        transaction.journal.begin(context.request.id)
        try:
            return self._steps(context, transaction, plan, begun, reading)
        except JobLost:
            raise
        except Exception as error:
            if transaction.release is not None:
                raise
            return _roll_back(context, transaction, context.foreseen(error))

    def _steps(
        self,
        context: JobContext,
        transaction: Transaction,
        plan: Plan,
        begun: float,
        reading: ExitStack,
    ) -> Outcome:
        with context.step(*_LATER[0]) as step:
            undo = transaction.copy(plan, step)
            step.skipped = plan.changes.none
        reading.close()
        with context.step(*_LATER[1]) as step:
            if plan.build or plan.pull:
                transaction.build(plan, step)
            step.skipped = not (plan.build or plan.pull)
        if plan.tags:
            transaction.name_images(plan)
        context.check()
        with DowntimeProbe(context.containers, context.project.compose_project) as probe:
            with context.step(*_LATER[2]) as step:
                transaction.put_in_place(plan, undo)
                step.skipped = not plan.restart
            with context.step(*_LATER[3]):
                containers = transaction.verify(plan)
            context.reporter.uncancellable()
            release = transaction.commit(plan, containers, probe, begun)
        _clear_up(context, transaction)
        return Outcome(
            JobState.SUCCEEDED,
            {
                "nothing": False,
                "release": release.id,
                "restored": release.restored,
                "commit": release.commit,
                "counts": shown(plan, context)["counts"],
                "built": list(plan.build),
                "restarted": _recreated(plan, containers),
                "downtime_seconds": release.downtime,
                "seconds": release.seconds,
                "kept": [*shown(plan, context)["drift"], *shown(plan, context)["kept"]],
                "notices": [_TOO_LATE] if context.reporter.cancelled_too_late else [],
                **_primary(context),
            },
        )


def settle(context: JobContext, lock: int) -> Outcome | None:
    """Finishes or undoes a rollout that was cut off, if there is one; to be called first by
    whatever holds the project's lock.

    The outcome is returned where it is this job's own, and where production could not be put
    back: then nothing else may be done to it.
    """
    drop_stale_trees(context.folder)
    journal = Journal(context.folder)
    own = journal.job == context.request.id
    if not journal.open and not own:
        # Begun before, and a later job has worked here since: it ended, though its end was lost.
        overtaken = context.attempt > 1 and (journal.job or "") > context.request.id
        return _overtaken(context) if overtaken else None
    # Its own journal is closed already where it was killed just before it could say so.
    outcome = _settled(context, Transaction(context, journal, lock))
    if own or journal.open:
        return outcome
    job_log = JobLog(context.settings.state_dir / "done")
    if job_log.begun(str(journal.job)) and job_log.outcome(str(journal.job)) is None:
        job_log.end(str(journal.job), outcome)
    return None


def _overtaken(context: JobContext) -> Outcome:
    releases = Releases(context.folder)
    if context.request.id in releases.ids():
        release = releases.get(context.request.id)
        return Outcome(JobState.SUCCEEDED, {"nothing": False, "release": release.id})
    error = ScarError(
        "worker_lost",
        "How this job ended is not known any more; it was not done again",
        "/docker_status and /docker_history show what is in production.",
    )
    return Outcome(JobState.FAILED, None, error)


def _settled(context: JobContext, transaction: Transaction) -> Outcome:
    release = transaction.release
    if release is None:
        failed = transaction.journal.find("failed")
        error = _LOST
        if failed:
            record = ErrorRecord.from_json(failed["error"])
            error = ScarError(record.code, record.message, record.hint, lines=record.lines)
        return _roll_back(context, transaction, error)
    _clear_up(context, transaction)
    result = {
        "nothing": False,
        "release": release.id,
        "restored": release.restored,
        "downtime_seconds": release.downtime,
        **_primary(context),
    }
    return Outcome(JobState.SUCCEEDED, result)


def _roll_back(context: JobContext, transaction: Transaction, error: ScarError) -> Outcome:
    state_after = _production_state(transaction.journal)
    try:
        if transaction.journal.open:
            with context.step("rolling_back", "Rolling back"):
                transaction.journal.write(
                    "failed", {"error": context.told(error).record().to_json()}
                )
                _wait_for_engine(context)
                transaction.put_back()
    except ScarError as failed:
        return _between(error, failed)
    cancelled = error.code == "cancelled"
    state = JobState.CANCELLED if cancelled else JobState.ROLLED_BACK
    return Outcome(state, {"production_state": state_after}, error)


def _clear_up(context: JobContext, transaction: Transaction) -> None:
    """The release counts, whatever happens now: the next job clears up what was left."""
    if transaction.journal.open:
        try:
            transaction.end()
        except ScarError as error:
            _log.warning("not cleared up", job=context.request.id, reason=error.message)


def _wait_for_engine(context: JobContext) -> None:
    """An Engine that is restarted is what made many a step fail; without it nothing is put back."""
    deadline = time.monotonic() + _ENGINE_SECONDS
    while True:
        try:
            context.engine.version()
        except ScarError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def _production_state(journal: Journal) -> str:
    """How production is once what was begun is undone."""
    if not journal.find("applying"):
        return _UNTOUCHED
    started = journal.find("starting")
    return _NONE_AS_BEFORE if started and not started["containers"] else _AS_BEFORE


def _between(error: ScarError, failed: ScarError) -> Outcome:
    """The rollback failed too: a person has to look."""
    state = (
        f"Putting production back failed too: {failed.message} It is between old and new. "
        f"{failed.hint} The next deploy or rollback tries to put it back first."
    )
    return Outcome(JobState.FAILED, {"production_state": state}, error)


def _recreated(plan: Plan, containers: list[Container]) -> list[str]:
    before = {c.id for c in plan.containers}
    fresh = {c.service for c in containers if c.id not in before}
    return sorted(fresh.union(plan.mounted))


def _primary(context: JobContext) -> dict[str, Any]:
    """How the main container does, for the last line of the message."""
    try:
        found = project_containers(context.containers, context.project)
        if found.primary is None or found.primary in found.missing:
            return {"primary": None}
        main = found.main()
        uptime = context.containers.uptime(main) or 0
    except ScarError as error:
        _log.warning("primary container not looked at", reason=error.message)
        return {"primary": None}
    return {"primary": {"name": main.name, "state": main.state, "uptime_seconds": uptime}}
