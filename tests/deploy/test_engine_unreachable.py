"""An Engine that does not answer."""

from __future__ import annotations

from pathlib import Path

from tests.support.deploy_scene import DeployScene, deploying_installation


def test_the_error_says_that_the_docker_engine_cannot_be_reached(tmp_path: Path) -> None:
    nowhere = "unix:///no/such/docker.sock"
    installation = deploying_installation(tmp_path / "scar", DOCKER_HOST=nowhere)
    scene = DeployScene(tmp_path, installation)
    try:
        scene.begin()
        job = scene.do("status")
    finally:
        installation.down()
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "docker_unavailable"
