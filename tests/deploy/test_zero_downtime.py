"""One service with a fixed port and name, replaced under requests, and nobody is refused."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.compose_project import run_docker
from tests.support.deploy_scene import COMPOSE, DOCKERFILE, NEVER_WELL, DeployScene
from tests.support.new_connections import NewConnections
from tests.support.waiting import eventually
from workers.engine.connection import Engine
from workers.engine.diverter import reason_against_diverting

NAMED = COMPOSE.replace("    build: .", "    build: .\n    container_name: NAME").replace(
    '    volumes: ["./data:/data"]\n', ""
)
LATE = DOCKERFILE.replace(
    'CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]',
    'CMD ["sh", "-c", "sleep 2; exec httpd -f -p 8000 -h /www"]',
)


@pytest.fixture
def named(open_scene: Callable[..., DeployScene]) -> DeployScene:
    """A project with `zero_downtime` that was deployed once."""
    if reason := reason_against_diverting(Engine(os.environ.get("DOCKER_HOST"))):
        pytest.skip(f"nothing can be diverted on this machine: {reason}")
    scene = open_scene(zero_downtime=True)
    scene.write(**{"compose.yaml": NAMED.replace("NAME", scene.name)})
    scene.configure(primary_container=scene.name)
    first = scene.do("deploy")
    assert first.state == "succeeded", first.error
    return scene


def record(scene: DeployScene) -> Path:
    return scene.state / "stand_ins.json"


def is_diverting(scene: DeployScene) -> bool:
    """Whether the containers are being replaced behind the diversion."""
    journal = record(scene).with_name("journal.jsonl")
    lines = [json.loads(line) for line in journal.read_text().splitlines() if line.endswith("}")]
    return record(scene).exists() and any(line["what"] == "starting" for line in lines)


def require_nothing_left(scene: DeployScene) -> None:
    assert scene.leftovers() == []
    assert not record(scene).exists()
    names = run_docker("ps", "-a", "--format", "{{.Names}}").split()
    assert [name for name in names if name.startswith(scene.name) and "standin" in name] == []


def test_no_new_connection_fails(named: DeployScene) -> None:
    scene = named
    outside = NewConnections(scene.port, every=0.033)

    scene.write(page="two")
    deployed = scene.do("deploy")
    assert deployed.state == "succeeded", deployed.error
    assert deployed.result is not None
    assert deployed.result["ways"] == [{"service": "web", "way": "stand_in"}]
    assert scene.site() == "two"
    require_nothing_left(scene)

    before = scene.started(scene.name)
    scene.configure(health_timeout=10)
    scene.write(page="three", Dockerfile=NEVER_WELL)
    broken = scene.do("deploy")
    assert broken.state == "rolled_back"
    assert broken.error is not None
    assert "The new 'web'" in broken.error.message
    assert scene.started(scene.name) == before  # it was never touched
    require_nothing_left(scene)

    scene.configure(health_timeout=30)
    scene.write(page="four", Dockerfile=LATE)
    job = scene.ask("deploy")
    eventually(lambda: is_diverting(scene), "the containers are replaced", 60)
    scene.kill_worker()
    killed = scene.end_of(job)
    assert killed.state == "rolled_back", killed.error
    assert scene.site() == "two"
    require_nothing_left(scene)

    restarted = scene.do("restart")
    assert restarted.state == "succeeded", restarted.error
    assert {"service": "web", "way": "stand_in"} in (restarted.result or {})["ways"]
    assert scene.started(scene.name) != before
    require_nothing_left(scene)

    outside.stop()
    assert outside.made > 50
    assert outside.failed == []
    plan = subprocess.run(
        ["docker", "compose", "up", "--dry-run", "-d", "--no-build"],
        cwd=scene.production,
        env={**os.environ, "COMPOSE_PROJECT_NAME": scene.name},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Recreat" not in plan.stderr
