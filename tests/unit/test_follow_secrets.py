"""A live log continues in a container that replaces another, and masks the secrets of the new one
too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from scar.projects import Project
from tests.support.job_context import RecordedReport, job_context, settings_in
from workers.engine.containers import Containers
from workers.engine.followed_log import FollowedLog
from workers.engine.log_lines import LogLine
from workers.engine.log_position import FollowedLines, LogPosition
from workers.facts.follow import FollowState, follow_lines

NEW = "Zq7-of-the-new-container"
OTHER = "Zq7-of-the-new-env-file"
AT = "2026-01-31T12:00:00.000000000Z"


class NewContainer:
    """A stub of the Engine with a container that has a secret of its own."""

    def inspect(self, container_id: str) -> Any:
        assert container_id == "new"
        return SimpleNamespace(environment={"DATABASE_PASSWORD": NEW})


class Replaced:
    """A log that goes on in another container, which prints its secrets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lines(self, _: LogPosition, *, check: Callable[[], None]) -> Iterator[FollowedLines]:
        check()
        (self._folder / ".env").write_text(f"API_TOKEN={OTHER}\n")
        yield FollowedLines((), LogPosition("new"), replaced=True)
        line = LogLine(AT, "stdout", f"connecting with {NEW} {OTHER}")
        yield FollowedLines((line,), LogPosition("new"))


def test_the_secrets_of_the_new_container_are_masked(tmp_path: Path) -> None:
    told = RecordedReport()
    project = Project("shop", tmp_path / "w", tmp_path, "shop", ("web",), "web")
    context = job_context("follow", {}, settings_in(tmp_path / "s"), project=project, told=told)
    context.containers = cast("Containers", NewContainer())
    state = FollowState(LogPosition("old"), 0, context.wall())
    follow_lines(context, cast("FollowedLog", Replaced(tmp_path)), "web", state)
    assert "was replaced" in told.lines[0][1]["line"]
    assert "connecting with" in told.lines[1][1]["line"]
    assert NEW not in str(told.lines)
    assert OTHER not in str(told.lines)
