"""Restarting containers in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic, sleep

from docker.errors import NotFound
from requests.exceptions import ConnectionError as Disconnected
from requests.exceptions import ReadTimeout

from scar.errors import ScarError, container_not_found
from workers.engine.connection import Engine
from workers.engine.containers import Container, Containers, Details

_GRACE = 15.0
_ENDLESS = 3600


def restart_order(containers: Sequence[Container]) -> list[Container]:
    """The containers with dependencies first, otherwise in the order given.

    Services come from Compose's `depends_on` label; a circle, which Compose refuses, is cut.
    """
    by_service: dict[str, list[Container]] = {}
    for container in containers:
        if container.service:
            by_service.setdefault(container.service, []).append(container)
    ordered: list[Container] = []
    visited: set[str] = set()

    def visit(container: Container) -> None:
        if container.id in visited:
            return
        visited.add(container.id)
        for service in container.depends_on:
            for dependency in by_service.get(service, ()):
                visit(dependency)
        ordered.append(container)

    for container in containers:
        visit(container)
    return ordered


def restart(
    engine: Engine,
    containers: Containers,
    container: Container,
    *,
    clock: Callable[[], float] = monotonic,
    pause: Callable[[float], None] = sleep,
) -> Details:
    """Restarts one container, giving it the time to stop that it asks for (`stop_grace_period`).

    Where the Engine does not answer in time the outcome is unknown: the container is looked at
    until it shows a later start, and nothing is sent again.
    """
    before = containers.inspect(container.id)
    # -1 is "wait for ever" in Docker.
    patience = before.stop_timeout if before.stop_timeout >= 0 else _ENDLESS
    sent = clock()
    with engine.api() as api:
        try:
            api.restart(container.id, timeout=patience)
            return containers.inspect(container.id)
        except NotFound:
            raise container_not_found(container.name, []) from None
        except (ReadTimeout, Disconnected):
            # Disconnected also stands for an Engine that was not there: then the look fails too.
            pass
    while clock() - sent < patience + engine.timeout + _GRACE:
        now = containers.inspect(container.id)
        if now.state == "running" and now.started_at != before.started_at:
            return now
        pause(0.5)
    raise ScarError(
        "timeout",
        f"Container '{container.name}' did not restart within its {patience} s to stop",
        f"It may still be stopping: `docker inspect {container.name}` shows its state.",
    )
