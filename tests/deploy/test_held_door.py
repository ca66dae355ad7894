"""A service that must not run twice is replaced: new connections wait, and none is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.compose_project import run_docker
from tests.support.deploy_scene import COMPOSE, DeployScene
from tests.support.new_connections import NewConnections
from workers.engine.connection import Engine
from workers.engine.diverter import reason_host_cannot_hold

DRAINING = """\
FROM IMAGE
COPY page /www/index.html
CMD ["sh", "-c", "httpd -f -p 8000 -h /www & trap 'sleep 1; exit 0' TERM; wait"]
"""
"""The site of a service that answers for a second more when it is to stop."""


@pytest.fixture
def writing(open_scene: Callable[..., DeployScene]) -> DeployScene:
    """A project with `zero_downtime` whose service writes to a folder; it was deployed once."""
    if reason := reason_host_cannot_hold(Engine(os.environ.get("DOCKER_HOST"))):
        pytest.skip(f"nothing can be held on this machine: {reason}")
    scene = open_scene(zero_downtime=True)
    scene.write(
        Dockerfile=DRAINING, **{"compose.yaml": COMPOSE.replace("    stop_signal: KILL\n", "")}
    )
    first = scene.do("deploy")
    assert first.state == "succeeded", first.error
    return scene


def record(scene: DeployScene) -> Path:
    return scene.installation.folder / "state" / "projects" / "shop" / "held_doors.json"


def most_at_once(scene: DeployScene, since: str) -> int:
    """Return how many containers of the service ran at once at most, by the Engine's events."""
    filters = ("--filter", f"label=com.docker.compose.project={scene.name}")
    until = run_docker("info", "--format", "{{.SystemTime}}").strip()
    lines = run_docker(
        "events", "--since", since, "--until", until, *filters, "--format", "{{json .}}"
    ).splitlines()
    running, most = 1, 1
    for event in map(json.loads, lines):
        if event["Actor"]["Attributes"].get("com.docker.compose.service") == "web":
            running += {"start": 1, "die": -1}.get(event["Action"], 0)
            most = max(most, running)
    return most


def test_new_connections_wait_and_none_is_refused(writing: DeployScene) -> None:
    scene = writing
    since = run_docker("info", "--format", "{{.SystemTime}}").strip()
    outside = NewConnections(scene.port, every=0.033)

    scene.write(page="two")
    deployed = scene.do("deploy")
    assert deployed.state == "succeeded", deployed.error
    assert deployed.result is not None
    (way,) = (way for way in deployed.result["ways"] if way["service"] == "web")
    assert way["way"] == "held", deployed.result
    assert "it writes to" in way["why"]
    assert way["seconds"] > 0
    assert scene.site() == "two"
    assert not record(scene).exists()

    restarted = scene.do("restart")
    assert restarted.state == "succeeded", restarted.error
    assert [w["way"] for w in (restarted.result or {})["ways"] if w["service"] == "web"] == ["held"]

    outside.stop()
    assert outside.made > 20
    assert outside.failed == []
    assert most_at_once(scene, since) == 1
    assert not record(scene).exists()
