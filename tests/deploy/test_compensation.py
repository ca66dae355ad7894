"""A failed deploy leaves what was there, whatever it was."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scar.jobs.record import Job
from tests.support.compose_project import IMAGE, run_docker
from tests.support.deploy_scene import COMPOSE, ENDS, DeployScene


def state_of(job: Job) -> str:
    assert job.result is not None
    return str(job.result["production_state"])


def of_engine(scene: DeployScene, kind: str) -> list[str]:
    label = f"label=com.docker.compose.project={scene.name}"
    return sorted(run_docker(kind, "ls", "-q", "--filter", label).split())


def test_a_new_service_is_removed_after_a_failed_deploy(scene: DeployScene) -> None:
    before = scene.images(), scene.tree(), of_engine(scene, "network")
    new = "  new:\n    image: IMAGE\n    command: [sleep, '99']\n    networks: [fresh]\n"
    networks = "networks: {fresh: {}}\n"
    scene.write(Dockerfile=ENDS, **{"compose.yaml": COMPOSE + new + networks})
    job = scene.do("deploy")
    assert job.state == "rolled_back", job.error
    assert "its containers are up" in state_of(job)
    assert job.result is not None
    assert job.result["downtime_seconds"] > 0  # of the site, until the old one was back
    assert (scene.images(), scene.tree(), of_engine(scene, "network")) == before
    assert scene.site() == "one"


def orphan(scene: DeployScene) -> str:
    """A container of the project, from a service that the Compose file does not have any more."""
    labels = ("project", scene.name), ("service", "gone"), ("oneoff", "False")
    options = [f"--label=com.docker.compose.{name}={value}" for name, value in labels]
    name = f"{scene.name}-gone-1"
    run_docker("create", "--name", name, *options, IMAGE, "sleep", "9")
    return name


def test_a_stopped_container_that_is_no_longer_in_the_compose_file_does_not_fail_a_deploy(
    scene: DeployScene,
) -> None:
    name = orphan(scene)
    scene.write(page="two")
    job = scene.do("deploy")
    assert job.state == "succeeded", job.error
    assert scene.site() == "two"
    again = scene.do("deploy").result
    assert again is not None
    assert again["nothing"] is True
    scene.write(Dockerfile=ENDS)
    job = scene.do("deploy")
    assert job.state == "rolled_back"
    assert "its containers are up" in state_of(job)
    assert run_docker("inspect", "-f", "{{.State.Status}}", name) == "created"


def test_paused_containers_do_not_fail_a_deploy(scene: DeployScene) -> None:
    main = f"{scene.name}-web-1"
    run_docker("pause", main)
    scene.write(page="two")
    job = scene.do("deploy")
    assert job.state == "succeeded", job.error
    assert scene.site() == "two"
    run_docker("pause", main)
    scene.write(page="three", Dockerfile=ENDS)
    job = scene.do("deploy")
    assert job.state == "rolled_back"
    assert "its containers are up" in state_of(job)
    assert scene.site() == "two"


def test_a_first_deploy_that_fails_leaves_no_container_and_no_network(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene()
    scene.write(Dockerfile=ENDS)
    job = scene.do("deploy")
    assert job.state == "rolled_back"
    assert state_of(job).startswith("Nothing was deployed. ")
    assert "no containers, as before" in state_of(job)
    assert scene.images() == {}
    assert not scene.production.exists()
    assert of_engine(scene, "network") == of_engine(scene, "image") == []


def test_production_stays_as_it_was_if_an_image_cannot_be_pulled(standing: DeployScene) -> None:
    before = standing.images(), standing.tree()
    standing.write(**{"compose.yaml": COMPOSE.replace("image: IMAGE", "image: localhost:1/none:1")})
    job = standing.do("deploy")
    assert job.state == "rolled_back"
    assert state_of(job) == "Production was not touched."
    assert job.step("rolling_back") is None
    assert (standing.images(), standing.tree()) == before


@pytest.fixture
def dead(scene: DeployScene) -> str:
    """The shop's site, half removed: what an Engine leaves that could not end what it began."""
    name = f"{scene.name}-web-1"
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
def test_a_container_in_state_dead_is_replaced_by_a_deploy(scene: DeployScene) -> None:
    scene.write(**{"compose.yaml": COMPOSE.replace("100000", "100001")})
    job = scene.do("deploy")
    assert job.state == "succeeded", job.error
    assert scene.site() == "one"


@pytest.mark.usefixtures("dead")
def test_a_container_in_state_dead_runs_again_after_a_failed_deploy(scene: DeployScene) -> None:
    scene.write(page="two", Dockerfile=ENDS)
    job = scene.do("deploy")
    assert job.state == "rolled_back", job.error
    assert "its containers are up" in state_of(job)
    assert scene.site() == "one"
