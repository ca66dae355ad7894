"""A disk that is full just where a worker notes which jobs it has done."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .shop import DOCKERFILE, Shop

Limit = Callable[[int], Path]


@pytest.fixture
def limited(shop: Shop) -> Iterator[Limit]:
    """Gives that folder a filesystem with room for so many more files."""
    folder = shop.home.folder / "state" / "done"

    def make(files: int) -> Path:
        options = f"size=1m,nr_inodes={files + 1}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
        return folder

    yield make
    subprocess.run(["umount", folder], check=True)


def test_a_job_whose_end_cannot_be_noted_says_how_it_ended(shop: Shop, limited: Limit) -> None:
    folder = limited(1)
    before = shop.images(), shop.tree()
    shop.write(page="two", Dockerfile=DOCKERFILE + "RUN false\n")
    job = shop.do("deploy")
    assert job.state == "rolled_back", job.error
    assert job.error is not None
    assert job.error.code == "build_failed"
    assert (shop.images(), shop.tree()) == before
    assert os.listdir(folder) == [job.id]
    assert "end of the job not kept" in shop.home.log


def test_a_job_whose_begin_cannot_be_noted_does_nothing(shop: Shop, limited: Limit) -> None:
    folder = limited(0)
    before = {name: shop.started(name.lstrip("/")) for name in shop.images()}
    job = shop.do("restart")
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "disk_full"
    assert str(folder) in job.error.message
    assert {name: shop.started(name.lstrip("/")) for name in shop.images()} == before
    assert os.listdir(folder) == []
