"""Restarts a project's containers one after the other, dependencies first."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from scar.errors import ScarError, container_not_found
from scar.jobs.record import JobState
from workers.deployment.rollout import settle
from workers.downtimes import Downtimes
from workers.engine.containers import Container
from workers.engine.downtime import DowntimeProbe
from workers.engine.health import Health
from workers.engine.logs import Logs
from workers.engine.restart import restart, restart_order
from workers.managed import managed
from workers.project_lock import project_lock
from workers.work import Operation, Outcome, PlanChanged, Task

_SETTLED_SECONDS = 3.0


class Restart(Operation):
    """Each container is waited for before the next is touched."""

    kind = "restart"

    def plan(self, task: Task) -> dict[str, Any]:
        """The containers in order; `protected` ones are named and left alone."""
        return self._shown(task, _to_restart(task))

    def _shown(self, task: Task, containers: list[Container]) -> dict[str, Any]:
        identity = json.dumps([(c.name, c.id) for c in containers])
        return {
            "containers": [c.name for c in containers],
            "protected": list(task.project.protected),
            "downtime": Downtimes(task.folder).estimate(self.kind),
            "hash": hashlib.sha256(identity.encode()).hexdigest(),
        }

    def run(self, task: Task, confirmed: str | None) -> Outcome:
        """Restarts what was not restarted by an earlier attempt of the same job."""
        with project_lock(task.folder, task.check) as lock:
            unsettled = settle(task, lock)
            if unsettled is not None:
                return unsettled
            containers = _to_restart(task)
            plan = self._shown(task, containers)
            if confirmed is not None and plan["hash"] != confirmed:
                raise PlanChanged(plan)
            return self._restart(task, containers)

    def _restart(self, task: Task, containers: list[Container]) -> Outcome:
        names = task.project.containers
        with DowntimeProbe(task.containers, task.project.compose_project, names) as probe:
            failures = self._restart_all(task, containers)
            if not failures:
                _wait(task, containers, settled=True)
            downtime = probe.result()
        if downtime.seconds is not None and not failures:
            Downtimes(task.folder).add(self.kind, downtime.seconds)
        done = [c.name for c in containers if c.name not in failures]
        result = {
            "restarted": done,
            "failed": list(failures),
            "downtime_seconds": downtime.seconds,
        }
        if failures:
            return Outcome(JobState.FAILED, result, next(iter(failures.values())))
        return Outcome(JobState.SUCCEEDED, result)

    def _restart_all(self, task: Task, containers: list[Container]) -> dict[str, ScarError]:
        """Restarts each whose dependencies are well; the failures by container."""
        failures: dict[str, ScarError] = {}
        ill: set[str] = set()
        for container in containers:
            task.check()
            name = f"restarting:{container.name}"
            needs = ill.intersection(container.depends_on)
            try:
                with task.step(name, f"Restarting {container.name}", detail=container.name):
                    if needs:
                        raise _needed(container, needs)
                    if not _restarted_already(task, container):
                        restart(task.engine, task.containers, container)
                    _wait(task, [container], settled=False)
            except ScarError as error:
                if error.code == "cancelled":
                    raise
                failures[container.name] = error
                ill.add(container.service)
        return failures


def _to_restart(task: Task) -> list[Container]:
    found = managed(task.containers, task.project)
    if found.missing:
        raise container_not_found(found.missing[0], [c.name for c in found.containers])
    if not found.containers:
        found.main()
    allowed = [c for c in found.containers if c.name not in task.project.protected]
    configured = list(task.project.containers)
    order = {name: at for at, name in enumerate(configured)}
    allowed.sort(key=lambda c: order.get(c.name, len(order)))
    return restart_order(allowed)


def _restarted_already(task: Task, container: Container) -> bool:
    """Whether an earlier attempt, cut off since, got this far."""
    if task.attempt == 1:
        return False
    started = task.containers.inspect(container.id).started_at
    return started is not None and started.timestamp() > task.begun_at


def _wait(task: Task, containers: list[Container], *, settled: bool) -> None:
    stable = min(_SETTLED_SECONDS, task.settings.stable_seconds) if settled else 0.0
    Health(task.containers, Logs(task.engine, task.containers)).wait(
        [c.id for c in containers],
        timeout=task.project.health_timeout,
        stable_seconds=stable,
        check=task.check,
    )


def _needed(container: Container, needs: set[str]) -> ScarError:
    return ScarError(
        "unhealthy",
        f"Container '{container.name}' was not restarted: it needs {', '.join(sorted(needs))}",
        "Mend that first, then restart again.",
    )


WORK = Restart()
