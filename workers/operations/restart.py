"""The handler of `restart`, which restarts a project's containers one after the other."""

from __future__ import annotations

import hashlib
import json
from contextlib import AbstractContextManager

from scar.errors import ScarError, container_not_found
from scar.jobs.record import JobState
from scar.jobs.results.json_record import ABSENT
from scar.jobs.results.restart import RestartPlan, RestartResult
from scar.jobs.results.ways import HELD, PLAIN, estimate_without_downtime
from scar.settings.own_container import own_container_id
from workers.deployment.held_doors import HeldDoors, measured_ways
from workers.deployment.production import Production
from workers.deployment.recovery import recover_deployment
from workers.deployment.requirements import require_not_scar
from workers.deployment.restart_ways import begin_stand_ins, restart_ways
from workers.deployment.takeover import Takeover
from workers.engine.container import Container
from workers.engine.downtime import DowntimeProbe
from workers.engine.health import Health
from workers.engine.logs import ContainerLogs
from workers.engine.project_containers import unknown_protected
from workers.engine.restart import restart, restart_order
from workers.runtime.context import JobContext
from workers.runtime.handlers import Execution, WriteJob
from workers.runtime.outcome import Outcome
from workers.state.downtime_history import DowntimeHistory
from workers.state.primary_container import containers_of
from workers.state.project_lock import project_lock, refuse_if_held

_SETTLED_SECONDS = 3.0


class Restart(WriteJob[list[Container], RestartPlan, RestartResult]):
    """Restarts containers with dependencies first, and waits until each is healthy before the
    next.
    """

    kind = "restart"

    def lock(self, context: JobContext, /) -> AbstractContextManager[int]:
        """Hold the lock of the project."""
        return project_lock(context.folder, context.check, holder=context.holder)

    def refuse_held(self, context: JobContext, /) -> None:
        """Raise `busy` if another job holds the lock of the project."""
        refuse_if_held(context.folder, context.project.name)

    def recover(self, context: JobContext, lock: int, /) -> Outcome[RestartResult] | None:
        """Finish or undo a deployment that was interrupted; if production cannot be restored, do
        not restart anything.
        """
        outcome = recover_deployment(context, lock)
        if outcome is None:
            return None
        result = outcome.result
        return Outcome(
            outcome.state,
            RestartResult(production_state=result.production_state) if result else None,
            outcome.error,
        )

    def make_plan(self, context: JobContext, /) -> tuple[list[Container], RestartPlan]:
        """Return the containers in order; protected ones are named and left alone."""
        require_not_scar(context, own_container_id())
        containers = _to_restart(context)
        identity = json.dumps([(c.name, c.id) for c in containers])
        ways = restart_ways(context, containers)
        downtime = DowntimeHistory(context.folder).estimate(self.kind)
        plan = RestartPlan(
            containers=tuple(c.name for c in containers),
            protected=tuple(context.project.protected),
            downtime=estimate_without_downtime(ways) or downtime,
            hash=hashlib.sha256(identity.encode()).hexdigest(),
            ways=ways,
        )
        return containers, plan

    def execute(
        self, context: JobContext, containers: list[Container], execution: Execution[RestartPlan], /
    ) -> Outcome[RestartResult]:
        """Restart the containers that no earlier attempt of this job has restarted."""
        names = context.project.containers
        production = Production(context, execution.lock)
        takeover, held = Takeover(context, production), HeldDoors(context, production)
        waiting = [way.service for way in execution.plan.ways if way.way == HELD]
        project = context.project.compose_project
        with DowntimeProbe(context.containers, project, names, waiting) as probe:
            with takeover.ending(), held.ending():
                ways = begin_stand_ins(context, takeover, containers, execution.plan.ways)
                if waiting:
                    held.begin(production.config(), waiting)
                failures = self._restart_all(context, containers, held)
                if not failures:
                    _wait(context, containers, settled=True)
                ways = measured_ways(context.folder, ways, held.end(), probe)
            downtime = probe.result()
        plain = not ways or any(way.way == PLAIN for way in ways)
        if downtime.seconds is not None and not failures and plain:
            DowntimeHistory(context.folder).add(self.kind, downtime.seconds)
        result = RestartResult(
            restarted=tuple(c.name for c in containers if c.name not in failures),
            failed=tuple(failures),
            downtime_seconds=downtime.seconds,
            ways=ways or ABSENT,
        )
        if failures:
            return Outcome(JobState.FAILED, result, next(iter(failures.values())))
        return Outcome(JobState.SUCCEEDED, result)

    def _restart_all(
        self, context: JobContext, containers: list[Container], held: HeldDoors
    ) -> dict[str, ScarError]:
        """Restart each container whose dependencies are healthy; return the errors by container."""
        failures: dict[str, ScarError] = {}
        unhealthy: set[str] = set()
        for container in containers:
            context.check()
            name = f"restarting:{container.name}"
            needs = unhealthy.intersection(container.depends_on)
            try:
                with context.steps.step(
                    name, f"Restarting {container.name}", detail=container.name
                ):
                    if needs:
                        raise _needed(container, needs)
                    if not _restarted_already(context, container):
                        held.hold(container.id)
                        restart(context.engine, context.containers, container)
                    _wait(context, [container], settled=False)
            except ScarError as error:
                if error.code == "cancelled":
                    raise
                failures[container.name] = error
                unhealthy.add(container.service)
        return failures


def _to_restart(context: JobContext) -> list[Container]:
    project = containers_of(context)
    if refusal := unknown_protected(context.project, (c.name for c in project.containers)):
        raise refusal
    if project.missing:
        raise container_not_found(project.missing[0], [c.name for c in project.containers])
    if not project.containers:
        project.main()
    allowed = [c for c in project.containers if c.name not in context.project.protected]
    order = {name: at for at, name in enumerate(context.project.containers)}
    allowed.sort(key=lambda c: order.get(c.name, len(order)))
    return restart_order(allowed)


def _restarted_already(context: JobContext, container: Container) -> bool:
    """Return whether an earlier, interrupted attempt of this job has restarted the container."""
    if context.attempt == 1:
        return False
    started = context.containers.inspect(container.id).started_at
    return started is not None and started.timestamp() > context.begun_at


def _wait(context: JobContext, containers: list[Container], *, settled: bool) -> None:
    stable = min(_SETTLED_SECONDS, context.settings.stable_seconds) if settled else 0.0
    Health(context.containers, ContainerLogs(context.engine, context.containers)).wait(
        [c.id for c in containers],
        timeout=context.project.health_timeout,
        stable_seconds=stable,
        check=context.check,
    )


def _needed(container: Container, needs: set[str]) -> ScarError:
    return ScarError(
        "unhealthy",
        f"Container '{container.name}' was not restarted: it needs {', '.join(sorted(needs))}",
        "Mend that first, then restart again.",
    )


HANDLER = Restart()
