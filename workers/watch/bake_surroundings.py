"""Implements what the baker does on the Engine and on Redis."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from scar.errors import ScarError
from scar.jobs.bake import Bake, BakeBook
from scar.projects import Project
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.error_lines import error_lines
from workers.watch.undo import Undoer
from workers.watch.usage_sampler import is_of

_log = structlog.get_logger(__name__)


class BakeSurroundings:
    """Counts log lines, publishes bakes and asks for rollbacks."""

    def __init__(self, engine: Engine, book: BakeBook, undoer: Undoer) -> None:
        self._engine = engine
        self._containers = Containers(engine)
        self._book = book
        self._undoer = undoer

    def count_errors(
        self, projects: Mapping[str, Project], start: int, end: int
    ) -> Mapping[tuple[str, str], int]:
        """Return the error lines of each running container, by project and name. A container whose
        log cannot be read has none.
        """
        running = [c for c in self._containers.all() if c.state == "running"]
        counts = {}
        for name, project in projects.items():
            for container in (c for c in running if is_of(project, c)):
                try:
                    count = error_lines(self._engine, container.id, start, end)
                except ScarError as error:
                    _log.info("log not read", container=container.name, reason=error.message)
                    count = 0
                counts[name, container.name] = count
        return counts

    def publish(self, bake: Bake, now: int) -> None:
        """Write a bake to Redis."""
        self._book.put(bake, now)

    def undo(self, bake: Bake) -> bool:
        """Submit the rollback; return whether that succeeded."""
        return self._undoer.undo(bake)
