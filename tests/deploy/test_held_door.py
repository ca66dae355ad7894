"""A service that must not run twice is replaced: new connections wait, and none is refused."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scar.json_object import JsonObject
from tests.support.compose_project import run_docker
from tests.support.deploy_scene import COMPOSE, DeployScene
from tests.support.new_connections import NewConnections
from tests.support.waiting import eventually
from workers.engine.connection import Engine
from workers.engine.diverter import reason_host_cannot_hold

_TIMES = 4

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


@pytest.fixture
def steps_of(writing: DeployScene) -> Iterator[Callable[[], list[str]]]:
    """Yield what tells how the containers of the service have ended and started since, in order.

    The Engine keeps its last 256 events only: they are followed from the start.
    """
    since = run_docker("info", "--format", "{{.SystemTime}}").strip()
    project = f"label=com.docker.compose.project={writing.name}"
    filters = (project, "label=com.docker.compose.service=web", "event=die", "event=start")
    command = ["docker", "events", "--since", since, "--format", "{{.Action}}"]
    command += [f"--filter={wanted}" for wanted in filters]
    steps: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as events:
        assert events.stdout is not None
        lines = map(str.strip, events.stdout)
        reading = threading.Thread(target=steps.extend, args=(lines,), daemon=True)
        reading.start()
        yield lambda: steps
        events.terminate()
        reading.join()


def replaced(scene: DeployScene, kind: str) -> tuple[JsonObject, int]:
    """Replace the service with its connections held; return its way, and how often it took.

    A busy machine may need longer than connections are held: then it is replaced once more.
    """
    for times in range(1, _TIMES + 1):
        # Once it was away for long, nothing would be held.
        (record(scene).parent / "windows.json").unlink(missing_ok=True)
        scene.write(page=f"{kind} {times}")
        with NewConnections(scene.port, every=0.033) as outside:
            job = scene.do(kind)
        assert job.state == "succeeded", job.error
        assert job.result is not None
        (way,) = (way for way in job.result["ways"] if way["service"] == "web")
        assert not record(scene).exists()
        if "did not answer within" not in way["why"]:
            assert outside.made > 10
            assert outside.failed == []
            return way, times
    pytest.fail(f"it took more than 8 s {_TIMES} times")


def test_new_connections_wait_and_none_is_refused(
    writing: DeployScene, steps_of: Callable[[], list[str]]
) -> None:
    way, deploys = replaced(writing, "deploy")
    assert way["way"] == "held", way
    assert "it writes to" in way["why"]
    assert way["seconds"] > 0
    assert writing.site() == f"deploy {deploys}"

    way, restarts = replaced(writing, "restart")
    assert way["way"] == "held", way

    one_at_a_time = ["die", "start"] * (deploys + restarts)
    eventually(lambda: len(steps_of()) >= len(one_at_a_time))
    assert steps_of() == one_at_a_time
