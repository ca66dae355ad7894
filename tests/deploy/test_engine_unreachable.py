"""An Engine that does not answer."""

from __future__ import annotations

from tests.support.deploy_scene import DeployScene
from tests.support.waiting import eventually


def test_the_error_says_that_the_docker_engine_cannot_be_reached(scene: DeployScene) -> None:
    eventually(lambda: scene.do("status").state == "succeeded", "a status that works")
    scene.installation.down()
    scene.installation._settings["DOCKER_HOST"] = "unix:///no/such/docker.sock"
    scene.installation.up()
    job = scene.do("status")
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "docker_unavailable"
