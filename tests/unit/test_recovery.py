"""What a job says where an earlier one has left something that it cannot remove."""

from __future__ import annotations

from pathlib import Path

import pytest

from scar.errors import ScarError
from scar.jobs.record import JobState
from scar.jobs.results.deploy import DeployResult
from scar.projects import Project
from tests.support.job_context import job_context, settings_in
from workers.deployment import recovery
from workers.runtime.outcome import Outcome
from workers.state.journal import Journal


def test_a_job_does_not_take_the_success_of_the_one_before_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise ScarError("engine_unreachable", "The Engine is away", "Start it, then ask again.")

    before = Outcome(JobState.SUCCEEDED, DeployResult(nothing=False, release="1"))
    monkeypatch.setattr(recovery, "_recovered", lambda *_: before)
    monkeypatch.setattr(recovery, "clear_up", away)
    project = Project("shop", tmp_path / "ws", tmp_path / "production", "shop")
    context = job_context("deploy", {}, settings_in(tmp_path), project=project)
    context.folder.mkdir(parents=True)
    Journal(context.folder).begin("1")
    with pytest.raises(ScarError, match="The Engine is away"):
        recovery.recover_deployment(context, -1)
