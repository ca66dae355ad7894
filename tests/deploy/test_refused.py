"""What cannot work is refused while it is checked, before anything is touched."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from tests.support.compose_project import IMAGE, run_docker
from tests.support.deploy_scene import COMPOSE, DeployScene


@pytest.fixture
def taken() -> Iterator[str]:
    """The name of somebody else's container."""
    name = f"scartest-{os.urandom(4).hex()}"
    run_docker("create", "--name", name, IMAGE, "sleep", "9")
    yield name
    run_docker("rm", "-f", name)


def refused(scene: DeployScene) -> str:
    before = scene.images(), scene.tree()
    job = scene.do("deploy")
    assert job.state == "failed"
    assert [step.name for step in job.steps] == ["checking"]
    assert job.error is not None
    assert job.error.code == "project_invalid"
    assert (scene.images(), scene.tree()) == before
    return job.error.message


def test_a_compose_file_without_services_is_refused(standing: DeployScene) -> None:
    standing.write(**{"compose.yaml": "services: {}\n"})
    assert "no service to run" in refused(standing)


def test_an_invalid_image_name_is_refused(standing: DeployScene) -> None:
    standing.write(**{"compose.yaml": COMPOSE.replace("image: IMAGE", "image: Not/Lower:1")})
    assert "Not/Lower:1" in refused(standing)


def test_a_container_name_that_another_project_uses_is_refused(
    standing: DeployScene, taken: str
) -> None:
    standing.write(**{"compose.yaml": COMPOSE + f"    container_name: {taken}\n"})
    assert taken in refused(standing)


def test_a_port_that_a_container_of_another_project_publishes_is_refused(
    standing: DeployScene,
) -> None:
    name = f"{standing.name}-elsewhere"
    run_docker("run", "-d", "--name", name, "-p", "127.0.0.1::80", IMAGE, "sleep", "600")
    try:
        port = run_docker("port", name, "80/tcp").strip().rpartition(":")[2]
        standing.write(**{"compose.yaml": COMPOSE + f'    ports: ["{port}:80"]\n'})
        message = refused(standing)
    finally:
        run_docker("rm", "-f", name)
    assert message.startswith(f"Service 'side' wants port {port}, which is published by '{name}'")


@pytest.mark.parametrize("name", [".env", "side.env"])
def test_a_pipe_in_place_of_an_env_file_is_refused(standing: DeployScene, name: str) -> None:
    os.mkfifo(standing.production / name)
    standing.write(page="two", **{"compose.yaml": COMPOSE + "    env_file: side.env\n"})
    job = standing.do("deploy")
    os.unlink(standing.production / name)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code in ("project_invalid", "sync_failed")
    assert str(standing.production / name) in job.error.message


def test_a_file_of_the_workers_host_reaches_no_container(standing: DeployScene) -> None:
    standing.write(**{"compose.yaml": COMPOSE + "    env_file: /etc/hostname\n"})
    assert "`env_file` names '/etc/hostname'" in refused(standing)


def test_a_diff_fetches_nothing_from_another_host(standing: DeployScene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x.git"
        standing.write(**{"compose.yaml": f"include: ['{address}']\n{COMPOSE}"})
        job = standing.do("diff")
        assert job.error is not None
        assert "on another host" in job.error.message
        with pytest.raises(TimeoutError):
            server.accept()
