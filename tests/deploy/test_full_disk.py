"""A disk that is full just where a worker notes which jobs it has done."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.deploy_scene import DOCKERFILE, DeployScene

Limit = Callable[[int], Path]


@pytest.fixture
def limited(scene: DeployScene) -> Iterator[Limit]:
    """Gives that folder a filesystem with room for so many more files."""
    folder = scene.installation.folder / "state" / "done"

    def make(files: int) -> Path:
        options = f"size=1m,nr_inodes={files + 1}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
        return folder

    yield make
    subprocess.run(["umount", folder], check=True)


def test_a_job_reports_its_outcome_even_if_the_disk_is_too_full_to_log_it(
    scene: DeployScene, limited: Limit
) -> None:
    folder = limited(1)
    before = scene.images(), scene.tree()
    scene.write(page="two", Dockerfile=DOCKERFILE + "RUN false\n")
    job = scene.do("deploy")
    assert job.state == "rolled_back", job.error
    assert job.error is not None
    assert job.error.code == "build_failed"
    assert (scene.images(), scene.tree()) == before
    assert os.listdir(folder) == [job.id]
    assert "end of the job not kept" in scene.installation.log


def test_a_job_changes_nothing_if_the_disk_is_too_full_to_log_its_start(
    scene: DeployScene, limited: Limit
) -> None:
    folder = limited(0)
    before = {name: scene.started(name.lstrip("/")) for name in scene.images()}
    job = scene.do("restart")
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "disk_full"
    assert str(folder) in job.error.message
    assert {name: scene.started(name.lstrip("/")) for name in scene.images()} == before
    assert os.listdir(folder) == []
