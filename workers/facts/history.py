"""The releases of a project."""

from __future__ import annotations

from typing import Any

from workers.releases import Releases
from workers.work import Fact, Task


class History(Fact):
    """What was deployed, newest first."""

    kind = "history"

    def read(self, task: Task) -> dict[str, Any]:
        """One row a release."""
        releases = Releases(task.folder)
        rows = [releases.get(id).summary() for id in reversed(releases.ids())]
        return {"project": task.project.name, "releases": rows}


WORK = History()
