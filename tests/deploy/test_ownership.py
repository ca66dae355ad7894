"""Which containers are a project's, and which of them is shown first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scar.jobs.record import Job
from tests.support.compose_project import IMAGE, run_docker
from tests.support.deploy_scene import COMPOSE, DeployScene
from tests.support.waiting import eventually

ONE_MORE = COMPOSE + "  api:\n    image: IMAGE\n    command: [sleep, '99']\n    stop_signal: KILL\n"


def configure(scene: DeployScene, **entry: Any) -> None:
    scene.entry.update(entry)
    scene.installation.projects_file.write_text(json.dumps({"shop": scene.entry}))


def refusal(job: Job) -> str:
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "project_invalid"
    return job.error.message


@pytest.fixture
def neighbour(scene: DeployScene) -> Iterator[str]:
    """A container of another Compose project."""
    name = f"{scene.name}-neighbour"
    options = ("--label", "com.docker.compose.project=bank", "--stop-signal", "KILL")
    run_docker("run", "-d", "--name", name, *options, IMAGE, "sleep", "999")
    yield name
    run_docker("rm", "-f", name)


@pytest.mark.parametrize("kind", ["status", "restart", "deploy", "logs"])
def test_a_container_of_another_compose_project_is_refused(
    scene: DeployScene, neighbour: str, kind: str
) -> None:
    web = f"{scene.name}-web-1"
    configure(scene, containers=[web, neighbour], auto_detect=False)
    before = scene.started(neighbour), scene.started(web)
    scene.write(page="two")
    said = refusal(scene.do(kind))
    assert said.startswith(f"Container '{neighbour}' belongs to Compose project 'bank', not to")
    assert (scene.started(neighbour), scene.started(web)) == before
    assert scene.site() == "one"


def test_the_projects_file_is_told_to_name_a_container_of_another_project(
    scene: DeployScene, neighbour: str
) -> None:
    web = f"{scene.name}-web-1"
    configure(scene, containers=[web, neighbour])

    def told() -> str:
        problem = scene.api.request("GET", "/projects/shop")["problem"]
        return str(problem["message"]) if problem else ""

    assert neighbour in eventually(told, "the host's worker has looked")
    configure(scene, containers=[web])
    eventually(lambda: not told(), "it looks again")


def test_a_protected_container_that_nobody_has_is_an_error(scene: DeployScene) -> None:
    web = f"{scene.name}-web-1"
    configure(scene, protected=[f"{scene.name}-web1"])
    before = scene.started(web)
    scene.write(page="two")
    for kind in ("restart", "deploy"):
        job = scene.do(kind)
        assert refusal(job).startswith(f"'{scene.name}-web1' is `protected` in project 'shop'")
        assert job.error is not None
        assert f"Did you mean '{web}'?" in job.error.hint
    assert scene.started(web) == before
    assert "no container has that name" in str((scene.do("status").result or {})["notices"])


def test_a_protected_container_that_the_deploy_makes_is_none(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene()
    configure(scene, protected=[f"{scene.name}-side-1"])
    job = scene.do("deploy")
    assert job.state == "succeeded", job.error


def test_a_service_that_is_added_does_not_become_the_primary_one(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene(primary_container=None)
    assert scene.do("deploy").state == "succeeded"
    scene.write(**{"compose.yaml": ONE_MORE})
    for _ in range(2):
        assert scene.do("deploy").state == "succeeded"
        first, *others = (scene.do("status").result or {})["containers"]
        assert (first["name"], first["primary"]) == (f"{scene.name}-side-1", True)
        assert not [row for row in others if row["primary"]]
        scene.write(page="two")
