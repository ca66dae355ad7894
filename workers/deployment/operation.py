"""The common part of deploy and rollback: execute a plan, and compensate if a step fails."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager, ExitStack

from scar.jobs.results.deploy import DeployPlan, DeployResult
from scar.jobs.results.ways import longest_wait
from scar.settings.own_container import own_container_id
from workers.deployment.compensation import compensate
from workers.deployment.completion import complete
from workers.deployment.held_doors import measured_ways
from workers.deployment.outcome import deployed, unchanged
from workers.deployment.plan import Plan, describe
from workers.deployment.recovery import recover_deployment
from workers.deployment.requirements import require_not_scar, require_room
from workers.deployment.shown_plan import ShownPlan
from workers.deployment.transaction import Transaction
from workers.deployment.ways import note_offer
from workers.engine.downtime import DowntimeProbe
from workers.runtime.context import JobContext
from workers.runtime.handlers import Execution, WriteJob
from workers.runtime.outcome import Outcome
from workers.runtime.reporter import JobLost
from workers.state.journal import Journal
from workers.state.project_lock import project_lock, refuse_if_held
from workers.state.releases import Releases

_COPYING = ("copying", "Copying files")
_BUILDING = ("building", "Building new image")
_FETCHING = ("building", "Fetching images")
_RESTARTING = ("restarting", "Restarting containers")
_VERIFYING = ("verifying", "Checking health")
_STEPS = (_COPYING, _BUILDING, _RESTARTING, _VERIFYING)


class DeploymentOperation(WriteJob[Plan, DeployPlan, DeployResult]):
    """A write job that copies, builds, restarts and verifies. If a step fails, its effects are
    undone.
    """

    @abstractmethod
    def compare(self, context: JobContext) -> Plan:
        """Return the plan of the deploy or rollback. Changes nothing."""

    def lock(self, context: JobContext, /) -> AbstractContextManager[int]:
        """Hold the lock of the project."""
        return project_lock(context.folder, context.check, holder=context.holder)

    def refuse_held(self, context: JobContext, /) -> None:
        """Raise `busy` if another job holds the lock of the project."""
        refuse_if_held(context.folder, context.project.name)

    def recover(self, context: JobContext, lock: int, /) -> Outcome[DeployResult] | None:
        """Finish or undo a deployment that was interrupted."""
        return recover_deployment(context, lock)

    def checking(self, context: JobContext, /) -> AbstractContextManager[object]:
        """Report the planning as the step `checking`."""
        return context.steps.step("checking", "Checking")

    def make_plan(self, context: JobContext, /) -> tuple[Plan, DeployPlan]:
        """Return what would be copied, built and restarted.

        Raises the errors that `execute` would certainly meet: too little space, a folder that is
        not writable.
        """
        require_not_scar(context, own_container_id())
        plan = self.compare(context)
        require_room(context, plan)
        return plan, describe(plan, context)

    def already_done(
        self, context: JobContext, plan: DeployPlan, /
    ) -> Outcome[DeployResult] | None:
        """Return the outcome if there is nothing to change; otherwise None."""
        return unchanged(context) if plan.nothing else None

    def remember_shown(self, context: JobContext, work: Plan, /) -> None:
        """Store the plan that the question shows."""
        ShownPlan(context).save(work)
        note_offer(context, work.ways)

    def changes_since(self, context: JobContext, work: Plan, /) -> tuple[str, ...]:
        """Return which files and containers have changed since the question was asked."""
        shown = ShownPlan(context)
        changes = shown.changes_until(work)
        shown.save(work)
        return changes

    def execute(
        self, context: JobContext, work: Plan, execution: Execution[DeployPlan], /
    ) -> Outcome[DeployResult]:
        """Bring the plan into production; if a step fails, restore production."""
        context.steps.announce(*_STEPS)
        if work.nothing:
            for name, _ in _STEPS:
                context.steps.skip(name)
            return unchanged(context)
        journal = Journal(context.folder)
        journal.begin(context.request.id)
        transaction = Transaction(context, journal, execution.lock)
        project = context.project.compose_project
        probe = DowntimeProbe(context.containers, project, held=work.held)
        with ExitStack() as probing:
            try:
                return self._go_forward(context, transaction, work, execution, probe, probing)
            except JobLost:
                raise
            except Exception as error:
                if Releases(context.folder).find(context.request.id) is not None:
                    raise
                reason = context.scar_error(error)
                return compensate(context, journal, execution.lock, reason, probe)

    def _go_forward(
        self,
        context: JobContext,
        transaction: Transaction,
        work: Plan,
        execution: Execution[DeployPlan],
        probe: DowntimeProbe,
        probing: ExitStack,
    ) -> Outcome[DeployResult]:
        """Copy, build, restart, verify, commit. `probe` is entered into the stack `probing` before
        the first container is touched, so that it keeps measuring during compensation.
        """
        with context.steps.step(*_COPYING) as step:
            undo = transaction.copy(work, step)
            step.skipped = work.changes.none
        execution.sources.close()
        with context.steps.step(*(_BUILDING if work.build else _FETCHING)) as step:
            if work.build or work.pull:
                transaction.build(work, step)
            step.skipped = not (work.build or work.pull)
        if work.tags:
            transaction.name_images(work)
        context.check()
        probing.enter_context(probe)
        with context.steps.step(*_RESTARTING) as step:
            ways = transaction.put_in_place(work, undo)
            step.skipped = not work.restart
        with context.steps.step(*_VERIFYING):
            containers = transaction.verify(work)
        context.refuse_cancellation()
        ways = measured_ways(context.folder, ways, transaction.held.end(), probe)
        said, waited = execution.plan.downtime, longest_wait(ways)
        release = transaction.commit(work, containers, probe, execution.started, said, waited)
        probing.close()
        complete(context, transaction.journal, execution.lock)
        return deployed(context, work, execution.plan, release, containers, ways)
