"""What a restart does, and what it says where it cannot."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.deploy_scene import COMPOSE, DOCKERFILE, WITHOUT_SITE, DeployScene


def test_dependencies_are_restarted_first(open_scene: Callable[..., DeployScene]) -> None:
    scene = open_scene()
    scene.write(
        **{"compose.yaml": COMPOSE.replace("    build: .", "    build: .\n    depends_on: [side]")}
    )
    assert scene.do("deploy").state == "succeeded"
    before = {name: scene.started(name.lstrip("/")) for name in scene.images()}
    job = scene.do("restart")
    assert job.state == "succeeded", job.error
    assert job.result is not None
    side, web = f"{scene.name}-side-1", f"{scene.name}-web-1"
    assert job.result["restarted"] == [side, web]
    assert [step.detail for step in job.steps] == [side, web]
    assert job.result["downtime_seconds"] is not None
    assert all(scene.started(name.lstrip("/")) != at for name, at in before.items())
    plan = scene.planned(scene.ask("restart", confirm=False))
    assert plan["downtime"] != "10-30 seconds"


def test_a_restart_names_the_container_that_does_not_come_back(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene()
    flag = 'CMD ["sh", "-c", "test ! -e /data/stop && exec httpd -f -p 8000 -h /www"]\n'
    scene.write(Dockerfile=DOCKERFILE.split("CMD")[0] + flag)
    assert scene.do("deploy").state == "succeeded"
    (scene.production / "data" / "stop").touch()
    job = scene.do("restart")
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "unhealthy"
    assert f"{scene.name}-web-1" in job.error.message
    assert job.result is not None
    assert job.result["failed"] == [f"{scene.name}-web-1"]
    assert f"{scene.name}-side-1" in job.result["restarted"]


def test_the_error_names_a_container_that_does_not_exist(standing: DeployScene) -> None:
    standing.configure(containers=["backend"], auto_detect=False, primary_container="backend")
    for kind in ("restart", "logs"):
        job = standing.do(kind)
        assert job.state == "failed"
        assert job.error is not None
        assert job.error.code == "container_not_found"
    assert job.error is not None
    status = standing.do("status").result
    assert status is not None
    assert [c["state"] for c in status["containers"]] == ["not found"]


def test_secrets_are_masked_in_logs(open_scene: Callable[..., DeployScene]) -> None:
    scene = open_scene(primary_container=None)
    noisy = WITHOUT_SITE.replace(
        '["sleep", "100000"]',
        '["sh", "-c", "echo \\"the word is $$SHOP_PASSWORD, <b>_*[\\"; sleep 100000"]\n'
        "    environment: {SHOP_PASSWORD: correct-horse-battery}",
    )
    scene.write(**{"compose.yaml": noisy})
    assert scene.do("deploy").state == "succeeded"
    job = scene.do("logs", container=f"{scene.name}-side-1", lines=10)
    assert job.result is not None
    assert "the word is ***, <b>_*[" in "\n".join(job.result["lines"])
