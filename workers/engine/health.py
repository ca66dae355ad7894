"""Waits until containers are healthy and have stayed so for some seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic, sleep

from scar.errors import ScarError
from workers.engine.container import ContainerDetails
from workers.engine.containers import Containers
from workers.engine.logs import ContainerLogs

_POLL_SECONDS = 0.2
_LOG_LINES = 20
_LOOP_RESTARTS = 3
"""A container that restarts this many times during the wait is considered to be in a restart
loop.
"""


@dataclass
class _Observation:
    """What is known about one container during the wait.

    `condition` is one of waiting, starting, unhealthy, stable, done. `start` identifies the
    container's present start, so that a restart is noticed.
    """

    restarts_before: int
    condition: str = "waiting"
    stable_since: float = 0.0
    start: tuple[datetime | None, int] = (None, 0)
    ready: bool = False


class Health:
    """Waits for the containers of one Engine to become healthy."""

    def __init__(
        self,
        containers: Containers,
        logs: ContainerLogs,
        *,
        clock: Callable[[], float] = monotonic,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._containers = containers
        self._logs = logs
        self._clock = clock
        self._pause = pause

    def wait(
        self,
        container_ids: Sequence[str],
        *,
        timeout: float,
        stable_seconds: float,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Return once every container has been stable for `stable_seconds` without a restart.

        A container is stable if it is healthy, or if it runs and has no health check. A one-shot
        container (no health check, no published port, no restart policy that restarts it) is done
        once it has exited with code 0. Each container has `timeout` seconds to become stable, in
        addition to `stable_seconds`.

        Raises `unhealthy` with the container's last log lines; without further waiting if the
        container has exited and will not be restarted, or restarts in a loop. `check` is called at
        least five times a second and may raise to stop the wait.
        """
        begin = self._clock()
        observations: dict[str, _Observation] = {}
        while True:
            check()
            containers = [self._inspect(container_id) for container_id in container_ids]
            for details in containers:
                seen = observations.setdefault(details.id, _Observation(details.restart_count))
                self._observe(details, seen, stable_seconds)
            if all(observation.ready for observation in observations.values()):
                return
            if self._clock() - begin > timeout:
                for details in containers:
                    if observations[details.id].condition not in ("stable", "done"):
                        raise self._unhealthy(details, _late(details, timeout))
            self._pause(_POLL_SECONDS)

    def _observe(
        self, details: ContainerDetails, seen: _Observation, stable_seconds: float
    ) -> None:
        hopeless = _hopeless(details, seen)
        if hopeless:
            raise self._unhealthy(details, hopeless)
        start = (details.started_at, details.restart_count)
        condition = _condition(details)
        if condition != "stable":
            seen.ready = condition == "done"
        elif seen.condition != "stable" or seen.start != start:
            seen.stable_since, seen.ready = self._clock(), stable_seconds <= 0
        else:
            seen.ready = self._clock() - seen.stable_since >= stable_seconds
        seen.condition, seen.start = condition, start

    def _inspect(self, container_id: str) -> ContainerDetails:
        try:
            return self._containers.inspect(container_id)
        except ScarError as missing:
            if missing.code != "container_not_found":
                raise
            raise ScarError(
                "unhealthy",
                f"Container {container_id[:12]} was removed while it was waited for",
                "Somebody else works on this project: see `docker events`, then try again.",
            ) from missing

    def _unhealthy(self, details: ContainerDetails, what: str) -> ScarError:
        lines = tuple(line.text for line in self._logs.tail(details.id, _LOG_LINES).lines)
        hint = f"Its log may say why: /docker_logs, or `docker logs {details.name}`."
        if details.oom_killed:
            hint = "It ran out of memory: raise its `mem_limit`, or find what uses it up. " + hint
        elif details.error:
            hint = f"The Engine says: {details.error}. " + hint
        elif details.probe_output and details.health != "healthy":
            hint = f"Its health check says: {' / '.join(details.probe_output[-3:])}. " + hint
        return ScarError("unhealthy", f"Container '{details.name}' {what}", hint, lines=lines)


def _condition(details: ContainerDetails) -> str:
    if details.state == "exited" and details.exit_code == 0 and _is_one_shot(details):
        return "done"
    if details.state != "running":
        return "waiting"
    if not details.has_health_check:
        return "stable"
    return {"healthy": "stable", "unhealthy": "unhealthy"}.get(details.health or "", "starting")


def _is_one_shot(details: ContainerDetails) -> bool:
    restarted = details.restart_policy in ("always", "unless-stopped")
    return not (restarted or details.has_health_check or details.publishes)


def _hopeless(details: ContainerDetails, seen: _Observation) -> str | None:
    """Return why a container cannot become healthy any more; None if it still can."""
    if details.restart_count - seen.restarts_before >= _LOOP_RESTARTS:
        return f"restarts in a loop (exit code {details.exit_code})"
    if details.state == "dead":
        return "is dead: the Engine could not remove it"
    if details.state != "exited" or _condition(details) == "done":
        return None
    if details.restart_policy == "no" or (
        details.restart_policy == "on-failure" and details.exit_code == 0
    ):
        return f"exited with code {details.exit_code}"
    return None


def _late(details: ContainerDetails, timeout: float) -> str:
    if details.health == "unhealthy":
        return f"is unhealthy after {timeout:.0f} s"
    if details.state == "running":
        return f"is still not healthy after {timeout:.0f} s"
    return f"is {details.state} after {timeout:.0f} s (exit code {details.exit_code})"
