"""Reads the Engine's volumes."""

from __future__ import annotations

from workers.engine.connection import Engine
from workers.engine.container import PROJECT


class Volumes:
    """The volumes of one Engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def names(self) -> frozenset[str]:
        """Return the names of all volumes."""
        return self._list({})

    def mounted_of_project(self, project: str) -> frozenset[str]:
        """Return the names of a Compose project's volumes that a container has mounted."""
        return self._list({"label": [f"{PROJECT}={project}"], "dangling": ["false"]})

    def _list(self, filters: dict[str, list[str]]) -> frozenset[str]:
        with self._engine.api() as api:
            rows = api.volumes(filters=filters)["Volumes"] or []
        return frozenset(str(row["Name"]) for row in rows)
