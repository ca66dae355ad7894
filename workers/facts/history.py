"""The handler of `history`, which lists a project's releases."""

from __future__ import annotations

from scar.jobs.results.history import HistoryResult
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob
from workers.state.release_rows import release_rows
from workers.state.releases import Releases


class History(ReadJob[HistoryResult]):
    """Lists the releases of a project, newest first."""

    kind = "history"

    def answer(self, context: JobContext) -> HistoryResult:
        """Return one row for each release that is kept."""
        return HistoryResult(context.project.name, release_rows(Releases(context.folder)))


HANDLER = History()
