"""Following a container that does not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from scar.errors import ScarError
from scar.projects import Project as Entry
from tests.support.compose_project import Project
from tests.support.job_context import RecordedReport, job_context, settings_in
from tests.support.waiting import eventually
from workers.facts.follow import HANDLER

STOPPED = """
services:
  app:
    image: IMAGE
    command: "true"
"""


def test_it_ends_at_once_and_says_how_to_start_it(project: Project, tmp_path: Path) -> None:
    (app,) = project.up(STOPPED)
    eventually(lambda: project.service("app").state == "exited", "it has ended")
    entry = Entry("shop", tmp_path / "w", project.folder, app.project, (app.name,), app.name)
    report = RecordedReport()
    context = job_context("follow", {}, settings_in(tmp_path / "s"), project=entry, told=report)
    with pytest.raises(ScarError, match=f"Container '{app.name}' does not run: it is exited") as e:
        HANDLER.read(context)
    assert "/docker_restart shop" in e.value.hint
    assert not report.lines
