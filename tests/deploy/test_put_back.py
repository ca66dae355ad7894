"""A failed deploy leaves what was there, whatever it was."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scar.jobs.record import Job
from tests.deploy.shop import COMPOSE, DOCKERFILE, Shop
from tests.engine.projects import IMAGE, run_docker

NEVER_WELL = DOCKERFILE.replace('"8000"', '"9000"')


def state_of(job: Job) -> str:
    assert job.result is not None
    return str(job.result["production_state"])


def of_engine(shop: Shop, kind: str) -> list[str]:
    label = f"label=com.docker.compose.project={shop.name}"
    return sorted(run_docker(kind, "ls", "-q", "--filter", label).split())


def test_a_new_service_goes_again(shop: Shop) -> None:
    before = shop.images(), shop.tree(), of_engine(shop, "network")
    new = "  new:\n    image: IMAGE\n    command: [sleep, '99']\n    networks: [fresh]\n"
    networks = "networks: {fresh: {}}\n"
    shop.write(Dockerfile=NEVER_WELL, **{"compose.yaml": COMPOSE + new + networks})
    job = shop.do("deploy")
    assert job.state == "rolled_back", job.error
    assert "its containers are up" in state_of(job)
    assert (shop.images(), shop.tree(), of_engine(shop, "network")) == before
    assert shop.site() == "one"


def orphan(shop: Shop) -> str:
    """A container of the project, from a service that the Compose file does not have any more."""
    labels = ("project", shop.name), ("service", "gone"), ("oneoff", "False")
    options = [f"--label=com.docker.compose.{name}={value}" for name, value in labels]
    name = f"{shop.name}-gone-1"
    run_docker("create", "--name", name, *options, IMAGE, "sleep", "9")
    return name


def test_a_stopped_orphan_is_nobodys_business(shop: Shop) -> None:
    name = orphan(shop)
    shop.write(page="two")
    job = shop.do("deploy")
    assert job.state == "succeeded", job.error
    assert shop.site() == "two"
    again = shop.do("deploy").result
    assert again is not None
    assert again["nothing"] is True
    shop.write(Dockerfile=NEVER_WELL)
    job = shop.do("deploy")
    assert job.state == "rolled_back"
    assert "its containers are up" in state_of(job)
    assert run_docker("inspect", "-f", "{{.State.Status}}", name) == "created"


def test_paused_containers(shop: Shop) -> None:
    main = f"{shop.name}-web-1"
    run_docker("pause", main)
    shop.write(page="two")
    job = shop.do("deploy")
    assert job.state == "succeeded", job.error
    assert shop.site() == "two"
    run_docker("pause", main)
    shop.write(page="three", Dockerfile=NEVER_WELL)
    job = shop.do("deploy")
    assert job.state == "rolled_back"
    assert "its containers are up" in state_of(job)
    assert shop.site() == "two"


def test_a_first_deploy_leaves_nothing(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    shop.write(Dockerfile=NEVER_WELL)
    job = shop.do("deploy")
    assert job.state == "rolled_back"
    assert "no containers, as before" in state_of(job)
    assert shop.images() == {}
    assert not shop.production.exists()
    assert of_engine(shop, "network") == of_engine(shop, "image") == []


def test_an_image_that_cannot_be_had_touches_nothing(shop: Shop) -> None:
    before = shop.images(), shop.tree()
    shop.write(**{"compose.yaml": COMPOSE.replace("image: IMAGE", "image: localhost:1/none:1")})
    job = shop.do("deploy")
    assert job.state == "rolled_back"
    assert state_of(job) == "Production was not touched."
    assert (shop.images(), shop.tree()) == before


@pytest.fixture
def dead(shop: Shop) -> str:
    """The shop's site, half removed: what an Engine leaves that could not end what it began."""
    name = f"{shop.name}-web-1"
    layer = run_docker("inspect", "-f", "{{.GraphDriver.Data.UpperDir}}", name).strip()
    run_docker("exec", name, "touch", "/keeps-the-layer")
    held = Path(layer) / "keeps-the-layer"
    if subprocess.run(["chattr", "+i", held], check=False).returncode:
        pytest.skip("this filesystem cannot keep the Engine from removing a file")
    subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)
    subprocess.run(["chattr", "-i", held], check=True)
    assert run_docker("inspect", "-f", "{{.State.Status}}", name).strip() == "dead"
    return name


@pytest.mark.usefixtures("dead")
def test_a_container_that_is_dead_is_made_anew(shop: Shop) -> None:
    shop.write(**{"compose.yaml": COMPOSE.replace("100000", "100001")})
    job = shop.do("deploy")
    assert job.state == "succeeded", job.error
    assert shop.site() == "one"


@pytest.mark.usefixtures("dead")
def test_a_container_that_is_dead_is_put_back_alive(shop: Shop) -> None:
    shop.write(page="two", Dockerfile=NEVER_WELL)
    job = shop.do("deploy")
    assert job.state == "rolled_back", job.error
    assert "its containers are up" in state_of(job)
    assert shop.site() == "one"
