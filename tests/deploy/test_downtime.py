"""The downtime that a job tells is the one that the world outside has seen."""

from __future__ import annotations

from tests.support.deploy_scene import DOCKERFILE, DeployScene
from tests.support.prober import Prober

SLOW = DOCKERFILE.replace(
    'CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]',
    'CMD ["sh", "-c", "sleep 1.5; exec httpd -f -p 8000 -h /www"]',
)


def told_and_seen(scene: DeployScene, kind: str) -> tuple[float, float]:
    outside = Prober(scene.port)
    try:
        job = scene.do(kind)
    finally:
        seen = outside.stop()
    assert job.state == "succeeded", job.error
    return float((job.result or {})["downtime_seconds"]), seen


def test_of_a_deploy_a_rollback_and_a_restart(scene: DeployScene) -> None:
    assert SLOW != DOCKERFILE
    scene.write(page="two", Dockerfile=SLOW)
    slow = told_and_seen(scene, "deploy")
    assert slow[0] > 1.5
    quick = told_and_seen(scene, "rollback")
    assert 0 < quick[0] < 1.5
    restarted = told_and_seen(scene, "restart")
    found = [slow, quick, restarted]
    assert [pair for pair in found if abs(pair[0] - pair[1]) > 0.2] == [], found
