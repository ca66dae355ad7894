"""The releases of a project."""

from __future__ import annotations

from typing import Any

from workers.runtime.context import JobContext, ReadJob
from workers.state.releases import Releases


class History(ReadJob):
    """What was deployed, newest first."""

    kind = "history"

    def read(self, context: JobContext) -> dict[str, Any]:
        """One row a release."""
        releases = Releases(context.folder)
        rows = [releases.get(id).summary() for id in reversed(releases.ids())]
        return {"project": context.project.name, "releases": rows}


HANDLER = History()
