"""Converts releases to the rows in which results list them."""

from __future__ import annotations

from scar.jobs.results.history import ReleaseRow
from scar.jobs.timestamp import rfc3339
from workers.state.releases import Release, Releases


def release_rows(releases: Releases) -> tuple[ReleaseRow, ...]:
    """Return one row for each stored release, newest first."""
    newest_first = reversed(releases.ids())
    return tuple(release_row(releases.get(id), ago) for ago, id in enumerate(newest_first))


def release_row(release: Release, ago: int) -> ReleaseRow:
    """Return the row of a release; `ago` is the number of later ones."""
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
        subject=release.subject,
        ago=ago,
        forecast=release.forecast,
        waited=release.waited,
    )
