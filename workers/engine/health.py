"""Waiting until containers are well, and still are a while later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic, sleep

from scar.errors import ScarError
from workers.engine.containers import Containers, Details
from workers.engine.logs import Logs

_POLL = 0.2
_LOG_LINES = 20
_LOOP = 3
"""So many restarts while it is watched, and a container is in a loop."""

Progress = Callable[[str, str], None]
"""Told a container's name and how it is: waiting, starting, unhealthy, stable, ready, done."""


@dataclass
class _Watch:
    """What is known of one container while it is waited for."""

    restarts_before: int
    word: str = "waiting"
    since: float = 0.0
    run: tuple[datetime | None, int] = (None, 0)
    ready: bool = False


class Health:
    """Waits for containers of one Engine."""

    def __init__(
        self,
        containers: Containers,
        logs: Logs,
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
        progress: Progress = lambda _name, _word: None,
    ) -> list[Details]:
        """Returns once every container is well and has been for `stable_seconds` without a
        restart: healthy, or running where it has no health check. A one-shot container (no health
        check, no published port, not restarted by policy) is done when it exited with 0.

        `timeout` seconds are allowed to become well, the stable time comes on top. Raises
        `unhealthy` with the container's last log lines; at once where no time can help (it exited
        and nothing starts it again, or it restarts in a loop). `check` is called at least five
        times a second and may raise.
        """
        begun = self._clock()
        watches: dict[str, _Watch] = {}
        while True:
            check()
            found = [self._inspect(container_id) for container_id in container_ids]
            for details in found:
                watch = watches.setdefault(details.id, _Watch(details.restart_count))
                self._look(details, watch, stable_seconds, progress)
            if all(watches[details.id].ready for details in found):
                return found
            late = self._clock() - begun > timeout
            for details in found:
                if late and watches[details.id].word not in ("stable", "ready", "done"):
                    raise self._unhealthy(details, _late(details, timeout))
            self._pause(_POLL)

    def _look(self, details: Details, watch: _Watch, stable: float, progress: Progress) -> None:
        hopeless = _hopeless(details, watch)
        if hopeless:
            raise self._unhealthy(details, hopeless)
        run = (details.started_at, details.restart_count)
        word = _word(details)
        if word != "stable":
            watch.ready = word == "done"
        elif watch.word not in ("stable", "ready") or watch.run != run:
            watch.since, watch.ready = self._clock(), stable <= 0
        else:
            watch.ready = self._clock() - watch.since >= stable
        if watch.ready and word == "stable":
            word = "ready"
        if word != watch.word:
            progress(details.name, word)
        watch.word, watch.run = word, run

    def _inspect(self, container_id: str) -> Details:
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

    def _unhealthy(self, details: Details, what: str) -> ScarError:
        lines = tuple(line.text for line in self._logs.tail(details.id, _LOG_LINES).lines)
        hint = f"Its log may say why: /docker_logs, or `docker logs {details.name}`."
        if details.oom_killed:
            hint = "It ran out of memory: raise its `mem_limit`, or find what uses it up. " + hint
        elif details.error:
            hint = f"The Engine says: {details.error}. " + hint
        elif details.probe_output and details.health != "healthy":
            hint = f"Its health check says: {' / '.join(details.probe_output[-3:])}. " + hint
        return ScarError("unhealthy", f"Container '{details.name}' {what}", hint, lines=lines)


def _word(details: Details) -> str:
    if details.state == "exited" and details.exit_code == 0 and _is_one_shot(details):
        return "done"
    if details.state != "running":
        return "waiting"
    if not details.has_health_check:
        return "stable"
    return {"healthy": "stable", "unhealthy": "unhealthy"}.get(details.health or "", "starting")


def _is_one_shot(details: Details) -> bool:
    restarted = details.restart_policy in ("always", "unless-stopped")
    return not (restarted or details.has_health_check or details.publishes)


def _hopeless(details: Details, watch: _Watch) -> str | None:
    """What is wrong where waiting cannot help."""
    if details.restart_count - watch.restarts_before >= _LOOP:
        return f"restarts in a loop (exit code {details.exit_code})"
    if details.state == "dead":
        return "is dead: the Engine could not remove it"
    if details.state != "exited" or _word(details) == "done":
        return None
    if details.restart_policy == "no" or (
        details.restart_policy == "on-failure" and details.exit_code == 0
    ):
        return f"exited with code {details.exit_code}"
    return None


def _late(details: Details, timeout: float) -> str:
    if details.health == "unhealthy":
        return f"is unhealthy after {timeout:.0f} s"
    if details.state == "running":
        return f"is still not healthy after {timeout:.0f} s"
    return f"is {details.state} after {timeout:.0f} s (exit code {details.exit_code})"
