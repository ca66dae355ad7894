"""What cannot work is refused while it is checked, before anything is touched."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.deploy.shop import COMPOSE, Shop
from tests.engine.projects import IMAGE, run_docker


@pytest.fixture
def taken() -> Iterator[str]:
    """The name of somebody else's container."""
    name = f"scartest-{os.urandom(4).hex()}"
    run_docker("create", "--name", name, IMAGE, "sleep", "9")
    yield name
    run_docker("rm", "-f", name)


def refused(shop: Shop) -> str:
    before = shop.images(), shop.tree()
    job = shop.do("deploy")
    assert job.state == "failed"
    assert [step.name for step in job.steps] == ["checking"]
    assert job.error is not None
    assert job.error.code == "project_invalid"
    assert (shop.images(), shop.tree()) == before
    return job.error.message


def test_no_services(shop: Shop) -> None:
    shop.write(**{"compose.yaml": "services: {}\n"})
    assert "no service to run" in refused(shop)


def test_an_image_name_that_cannot_be(shop: Shop) -> None:
    shop.write(**{"compose.yaml": COMPOSE.replace("image: IMAGE", "image: Not/Lower:1")})
    assert "Not/Lower:1" in refused(shop)


def test_a_container_name_that_is_taken(shop: Shop, taken: str) -> None:
    shop.write(**{"compose.yaml": COMPOSE + f"    container_name: {taken}\n"})
    assert taken in refused(shop)


@pytest.mark.parametrize("name", [".env", "side.env"])
def test_a_pipe_where_compose_reads_a_file(shop: Shop, name: str) -> None:
    os.mkfifo(shop.production / name)
    shop.write(page="two", **{"compose.yaml": COMPOSE + "    env_file: side.env\n"})
    job = shop.do("deploy")
    os.unlink(shop.production / name)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code in ("project_invalid", "sync_failed")
    assert str(shop.production / name) in job.error.message
