"""Restarts a project's containers one after the other, dependencies first."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from scar.errors import ScarError, container_not_found
from scar.jobs.record import JobState
from workers.deployment.operation import settle
from workers.engine.container import Container
from workers.engine.downtime import DowntimeProbe
from workers.engine.health import Health
from workers.engine.logs import ContainerLogs
from workers.engine.project_containers import project_containers
from workers.engine.restart import restart, restart_order
from workers.runtime.context import JobContext, Outcome, PlanChanged, WriteJob
from workers.state.downtime_history import DowntimeHistory
from workers.state.project_lock import project_lock

_SETTLED_SECONDS = 3.0


class Restart(WriteJob):
    """Each container is waited for before the next is touched."""

    kind = "restart"

    def plan(self, context: JobContext) -> dict[str, Any]:
        """The containers in order; `protected` ones are named and left alone."""
        return self._shown(context, _to_restart(context))

    def _shown(self, context: JobContext, containers: list[Container]) -> dict[str, Any]:
        identity = json.dumps([(c.name, c.id) for c in containers])
        return {
            "containers": [c.name for c in containers],
            "protected": list(context.project.protected),
            "downtime": DowntimeHistory(context.folder).estimate(self.kind),
            "hash": hashlib.sha256(identity.encode()).hexdigest(),
        }

    def run(self, context: JobContext, confirmed: str | None) -> Outcome:
        """Restarts what was not restarted by an earlier attempt of the same job."""
        with project_lock(context.folder, context.check) as lock:
            unsettled = settle(context, lock)
            if unsettled is not None:
                return unsettled
            containers = _to_restart(context)
            plan = self._shown(context, containers)
            if confirmed is not None and plan["hash"] != confirmed:
                raise PlanChanged(plan)
            return self._restart(context, containers)

    def _restart(self, context: JobContext, containers: list[Container]) -> Outcome:
        names = context.project.containers
        with DowntimeProbe(context.containers, context.project.compose_project, names) as probe:
            failures = self._restart_all(context, containers)
            if not failures:
                _wait(context, containers, settled=True)
            downtime = probe.result()
        if downtime.seconds is not None and not failures:
            DowntimeHistory(context.folder).add(self.kind, downtime.seconds)
        done = [c.name for c in containers if c.name not in failures]
        result = {
            "restarted": done,
            "failed": list(failures),
            "downtime_seconds": downtime.seconds,
        }
        if failures:
            return Outcome(JobState.FAILED, result, next(iter(failures.values())))
        return Outcome(JobState.SUCCEEDED, result)

    def _restart_all(
        self, context: JobContext, containers: list[Container]
    ) -> dict[str, ScarError]:
        """Restarts each whose dependencies are well; the failures by container."""
        failures: dict[str, ScarError] = {}
        ill: set[str] = set()
        for container in containers:
            context.check()
            name = f"restarting:{container.name}"
            needs = ill.intersection(container.depends_on)
            try:
                with context.step(name, f"Restarting {container.name}", detail=container.name):
                    if needs:
                        raise _needed(container, needs)
                    if not _restarted_already(context, container):
                        restart(context.engine, context.containers, container)
                    _wait(context, [container], settled=False)
            except ScarError as error:
                if error.code == "cancelled":
                    raise
                failures[container.name] = error
                ill.add(container.service)
        return failures


def _to_restart(context: JobContext) -> list[Container]:
    found = project_containers(context.containers, context.project)
    if found.missing:
        raise container_not_found(found.missing[0], [c.name for c in found.containers])
    if not found.containers:
        found.main()
    allowed = [c for c in found.containers if c.name not in context.project.protected]
    configured = list(context.project.containers)
    order = {name: at for at, name in enumerate(configured)}
    allowed.sort(key=lambda c: order.get(c.name, len(order)))
    return restart_order(allowed)


def _restarted_already(context: JobContext, container: Container) -> bool:
    """Whether an earlier attempt, cut off since, got this far."""
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
