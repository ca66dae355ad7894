"""Lists, inspects, starts and removes the Engine's containers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from docker.errors import APIError, NotFound

from scar.errors import ScarError
from workers.engine.connection import Engine
from workers.engine.container import PROJECT, STAND_IN, Container, ContainerDetails


class Containers:
    """The containers of one Engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of_project(self, project: str, names: Iterable[str] = ()) -> list[Container]:
        """Return the containers of a Compose project, without one-off containers, ordered by name.

        `names` are further containers that belong to the project without Compose's label. The
        Engine is called once; with `names` it returns all its containers, since it cannot filter by
        "label or name".
        """
        wanted = frozenset(names)
        filters = {} if wanted else {"label": [f"{PROJECT}={project}"]}
        return [
            container
            for container in self._list(filters)
            if (container.project == project and not container.oneoff) or container.name in wanted
        ]

    def stand_ins(self, project: str) -> list[Container]:
        """Return the present stand-ins of a Compose project."""
        return self._list({"label": [f"{PROJECT}={project}", STAND_IN]})

    def all(self) -> list[Container]:
        """Return every container of the Engine, ordered by name."""
        return self._list({})

    def inspect(self, container_id: str) -> ContainerDetails:
        """Return the details of a container; raise `container_not_found` if it does not exist."""
        with self._engine.api() as api:
            try:
                return ContainerDetails.parse(api.inspect_container(container_id))
            except NotFound:
                raise _gone(container_id) from None

    def uptime(self, container: Container) -> int | None:
        """Return the seconds since a container started; None if it is not running.

        Inspects the container, which takes about 1 ms, because the list call rounds to hours and
        days.
        """
        return self._seconds_since(container, "started_at") if container.is_up else None

    def stopped(self, container: Container) -> int | None:
        """Return the seconds since a container exited; None if it is running or never ran."""
        return None if container.is_up else self._seconds_since(container, "finished_at")

    def _seconds_since(self, container: Container, event: str) -> int | None:
        with self._engine.api() as api, suppress(NotFound):
            details = ContainerDetails.parse(api.inspect_container(container.id))
            moment: datetime | None = getattr(details, event)
            if moment is not None:
                return max(0, int((datetime.now(UTC) - moment).total_seconds()))
        return None

    def start(self, container_id: str) -> None:
        """Start a container without changing it; do nothing if it does not exist."""
        with self._engine.api() as api, suppress(NotFound):
            api.start(container_id)

    def unpause(self, container_id: str) -> None:
        """Resume a paused container; do nothing if it does not exist."""
        with self._engine.api() as api, suppress(NotFound):
            api.unpause(container_id)

    def remove(self, container_id: str) -> None:
        """Kill and remove a container, but not its volumes; do nothing if it does not exist."""
        with self._engine.api() as api:
            try:
                api.remove_container(container_id, v=False, force=True)
            except NotFound:
                return
            except APIError as refused:
                if "already in progress" not in str(refused):
                    raise

    def _list(self, filters: Mapping[str, Sequence[str]]) -> list[Container]:
        with self._engine.api() as api:
            rows = api.containers(all=True, filters=dict(filters))
        return sorted(map(Container.parse, rows), key=lambda container: container.name)


def _gone(container_id: str) -> ScarError:
    return ScarError(
        "container_not_found",
        f"Container '{container_id[:12]}' not found",
        "It was removed meanwhile. Use the exact name `docker ps` shows.",
    )
