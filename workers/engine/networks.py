"""Lists and removes the Engine's networks."""

from __future__ import annotations

from docker.errors import APIError, NotFound

from workers.engine.connection import Engine
from workers.engine.container import PROJECT


class Networks:
    """The networks of one Engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of_project(self, project: str) -> list[str]:
        """Return the ids of a Compose project's networks."""
        with self._engine.api() as api:
            rows = api.networks(filters={"label": [f"{PROJECT}={project}"]})
        return [str(row["Id"]) for row in rows]

    def names_of_project(self, project: str) -> frozenset[str]:
        """Return the names of a Compose project's networks."""
        with self._engine.api() as api:
            rows = api.networks(filters={"label": [f"{PROJECT}={project}"]})
        return frozenset(str(row["Name"]) for row in rows)

    def drivers(self) -> dict[str, str]:
        """Return the driver of each of the Engine's networks, by name."""
        with self._engine.api() as api:
            return {str(row["Name"]): str(row["Driver"]) for row in api.networks()}

    def remove(self, network_id: str) -> None:
        """Remove a network unless a container is connected to it; do nothing if it does not
        exist.
        """
        with self._engine.api() as api:
            try:
                api.remove_network(network_id)
            except NotFound:
                return
            except APIError as refused:
                if "active endpoints" not in str(refused):
                    raise
