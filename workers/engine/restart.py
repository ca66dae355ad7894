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
    """Return the containers with dependencies before dependents, otherwise in the given order.

    Dependencies are those in Compose's label `depends_on`. A cycle, which Compose would refuse, is
    broken at some container.
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
    """Restart a container; it gets its own `stop_grace_period` to stop.

    If the Engine does not respond in time, the restart may or may not happen. The request is
    therefore not repeated; instead the container is polled until it has a later start time. Raises
    `timeout`.
    """
    before = containers.inspect(container.id)
    # Docker's value -1 means to wait without limit.
    patience = before.stop_timeout if before.stop_timeout >= 0 else _ENDLESS_SECONDS
    begin = clock()
    with engine.api() as api:
        try:
            api.restart(container.id, timeout=patience)
            return containers.inspect(container.id)
        except NotFound:
            raise container_not_found(container.name, []) from None
        except (ReadTimeout, Disconnected):
            # The connection may also be lost because no Engine is running; the inspection below
            # then raises.
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
