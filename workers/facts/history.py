"""The handler of `history`, which lists a project's releases."""

from __future__ import annotations

from scar.jobs.results.history import HistoryResult, ReleaseRow
from scar.jobs.timestamp import rfc3339
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob
from workers.state.releases import Release, Releases


class History(ReadJob[HistoryResult]):
    """Lists the releases of a project, newest first."""

    kind = "history"

    def read(self, context: JobContext) -> HistoryResult:
        """Return one row for each stored release."""
        releases = Releases(context.folder)
        rows = tuple(_row(releases.get(id)) for id in reversed(releases.ids()))
        return HistoryResult(context.project.name, rows)


def _row(release: Release) -> ReleaseRow:
    return ReleaseRow(
        id=release.id,
        at=rfc3339(release.at),
        by=release.by,
        commit=release.commit,
        dirty=release.dirty,
        seconds=release.seconds,
        downtime=release.downtime,
        restored=release.restored,
        services=tuple(sorted(release.services)),
        files=len(release.files),
    )


HANDLER = History()
