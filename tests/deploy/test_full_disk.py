"""A disk that is full just where a worker notes which jobs it has done."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scar.redis_client import connect
from tests.support.deploy_scene import DOCKERFILE, DeployScene
from tests.support.waiting import eventually

Limit = Callable[[int], Path]


@pytest.fixture
def limited(standing: DeployScene) -> Iterator[Limit]:
    """Gives that folder a filesystem with room for so many more files."""
    folder = standing.installation.folder / "state" / "done"
    with contextlib.closing(connect(standing.installation.redis_url)) as redis:
        # A job of an earlier test that was cancelled would take the room.
        eventually(lambda: not redis.exists("scar:cancelled"), "the host knows what was cancelled")

    def make(files: int) -> Path:
        options = f"size=1m,nr_inodes={files + 1}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
        return folder

    yield make
    subprocess.run(["umount", folder], check=True)


def test_a_job_reports_its_outcome_even_if_the_disk_is_too_full_to_log_it(
    standing: DeployScene, limited: Limit
) -> None:
    folder = limited(1)
    before = standing.images(), standing.tree()
    standing.write(page="two", Dockerfile=DOCKERFILE + "RUN false\n")
    job = standing.do("deploy")
    assert job.state == "rolled_back", job.error
    assert job.error is not None
    assert job.error.code == "build_failed"
    assert (standing.images(), standing.tree()) == before
    assert os.listdir(folder) == [job.id]
    assert "end of the job not kept" in standing.installation.log


def test_a_job_changes_nothing_if_the_disk_is_too_full_to_log_its_start(
    standing: DeployScene, limited: Limit
) -> None:
    folder = limited(0)
    before = {name: standing.started(name.lstrip("/")) for name in standing.images()}
    job = standing.do("restart")
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "disk_full"
    assert str(folder) in job.error.message
    assert {name: standing.started(name.lstrip("/")) for name in standing.images()} == before
    assert os.listdir(folder) == []
