"""If Git could not tell whether there are uncommitted changes, nothing is shown as "clean"."""

from __future__ import annotations

from typing import Any

import pytest

from scar.commands.history import _release_lines
from scar.commands.status import _status
from scar.jobs.results.history import ReleaseRow
from scar.jobs.results.status import StatusResult


@pytest.mark.parametrize(
    ("dirty", "shown"),
    [(None, "abc, changes unknown"), (True, "abc + uncommitted changes"), (False, "abc")],
)
def test_a_release_shows_that_git_could_not_tell(dirty: bool | None, shown: str) -> None:
    row = {"id": "r1", "at": "2026-01-01T00:00:00Z", "by": "me", "commit": "abc", "dirty": dirty}
    assert _release_lines(ReleaseRow.from_json(row))[1] == shown


@pytest.mark.parametrize(("dirty", "shown"), [(None, "is unknown"), (True, "has"), (False, "")])
def test_a_status_shows_that_git_could_not_tell(dirty: bool | None, shown: str) -> None:
    document: dict[str, Any] = {"project": "shop", "workspace_dirty": dirty, "old_version": True}
    lines = str(_status(StatusResult.from_json(document)))
    assert (f"uncommitted changes {shown}" in lines or f"Workspace {shown}" in lines) is bool(shown)
