"""The downtime that a job tells is the one that the world outside has seen."""

from __future__ import annotations

from tests.support.deploy_scene import DOCKERFILE, DeployScene
from tests.support.prober import Prober

SLOW = DOCKERFILE.replace(
    'CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]',
    'CMD ["sh", "-c", "sleep 1.5; exec httpd -f -p 8000 -h /www"]',
)


def measured(scene: DeployScene, kind: str) -> tuple[float, float, float]:
    """Return the downtime by the job and from outside, and how finely outside looked; seconds."""
    outside = Prober(scene.port)
    try:
        job = scene.do(kind)
    finally:
        down = outside.stop()
    assert job.state == "succeeded", job.error
    return float((job.result or {})["downtime_seconds"]), down, outside.longest_pause


def test_the_reported_downtime_agrees_with_the_one_measured_from_outside(
    scene: DeployScene,
) -> None:
    assert SLOW != DOCKERFILE
    scene.write(page="two", Dockerfile=SLOW)
    slow = measured(scene, "deploy")
    assert slow[0] > 1.5
    quick = measured(scene, "rollback")
    assert quick[0] > 0
    restarted = measured(scene, "restart")
    for job, outside, pause in (slow, quick, restarted):
        assert abs(job - outside) <= 0.2 + 2 * pause
