"""SCAR's own Compose project is no target of the worker that runs in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scar.errors import ScarError
from scar.projects import Project as Entry
from scar.settings.own_container import own_container_id
from tests.support.compose_project import Project, run_docker
from tests.support.job_context import job_context, settings_in
from workers.deployment.requirements import require_not_scar

COMPOSE = """
services:
  worker:
    image: IMAGE
    command: sleep 100
    stop_signal: KILL
"""


def test_a_restart_or_deploy_of_the_workers_own_project_is_refused(
    project: Project, tmp_path: Path
) -> None:
    (worker,) = project.up(COMPOSE)
    entry = Entry("scar", tmp_path / "w", project.folder, worker.project, (worker.name,))
    context = job_context("restart", {}, settings_in(tmp_path / "s"), project=entry)
    with pytest.raises(ScarError, match="is SCAR itself") as refused:
        require_not_scar(context, worker.id)
    assert f"docker compose -p {worker.project} up" in refused.value.hint
    require_not_scar(context, None)
    require_not_scar(context, "0" * 64)


def test_a_container_knows_its_own_id(project: Project, tmp_path: Path) -> None:
    (worker,) = project.up(COMPOSE)
    mounts = tmp_path / "mountinfo"
    mounts.write_text(run_docker("exec", worker.name, "cat", "/proc/self/mountinfo"))
    assert own_container_id(mounts) == worker.id
    mounts.write_text("24 30 0:22 / /proc rw - proc proc rw\n")
    assert own_container_id(mounts) is None
    assert own_container_id(tmp_path / "nothing") is None
