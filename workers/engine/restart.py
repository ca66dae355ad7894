"""Restarts containers, dependencies first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic, sleep

from docker.errors import NotFound
from requests.exceptions import ConnectionError as Disconnected
from requests.exceptions import ReadTimeout

from scar.errors import ScarError, container_not_found
from workers.engine.connection import Engine
from workers.engine.container import Container, ContainerDetails
from workers.engine.containers import Containers

_GRACE_SECONDS = 15.0
_POLL_SECONDS = 0.5
_ENDLESS_SECONDS = 3600


def restart_order(containers: Sequence[Container]) -> list[Container]:
    """Return the containers with dependencies first, otherwise in the order given.

    Dependencies are those of Compose's `depends_on` label. A cycle, which Compose refuses, is cut.
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
) -> ContainerDetails:
    """Restart a container, giving it its own time to stop (`stop_grace_period`).

    Where the Engine does not answer in time the outcome is unknown: the container is then polled
    until it shows a later start, and the request is never repeated. Raises `timeout`.
    """
    before = containers.inspect(container.id)
    # Docker's -1 means: wait for ever.
    patience = before.stop_timeout if before.stop_timeout >= 0 else _ENDLESS_SECONDS
    begin = clock()
    with engine.api() as api:
        try:
            api.restart(container.id, timeout=patience)
            return containers.inspect(container.id)
        except NotFound:
            raise container_not_found(container.name, []) from None
        except (ReadTimeout, Disconnected):
            # Disconnected also means that no Engine is there: the inspection below then raises.
            pass
    while clock() - begin < patience + engine.timeout + _GRACE_SECONDS:
        now = containers.inspect(container.id)
        if now.state == "running" and now.started_at != before.started_at:
            return now
        pause(_POLL_SECONDS)
    raise ScarError(
        "timeout",
        f"Container '{container.name}' did not restart within its {patience} s to stop",
        f"It may still be stopping: `docker inspect {container.name}` shows its state.",
    )
