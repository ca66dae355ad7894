"""Which containers are a project's, and which of them is shown first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from scar.jobs.record import Job
from tests.support.compose_project import IMAGE, run_docker
from tests.support.deploy_scene import WITHOUT_SITE, DeployScene
from tests.support.waiting import eventually

ONE_MORE = (
    WITHOUT_SITE + "  api:\n    image: IMAGE\n    command: [sleep, '99']\n    stop_signal: KILL\n"
)


def refusal(job: Job) -> str:
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "project_invalid"
    return job.error.message


@pytest.fixture
def neighbour(standing: DeployScene) -> Iterator[str]:
    """A container of another Compose project."""
    name = f"{standing.name}-neighbour"
    options = ("--label", "com.docker.compose.project=bank", "--stop-signal", "KILL")
    run_docker("run", "-d", "--name", name, *options, IMAGE, "sleep", "999")
    yield name
    run_docker("rm", "-f", name)


def test_a_container_of_another_compose_project_is_refused(
    standing: DeployScene, neighbour: str
) -> None:
    web = f"{standing.name}-web-1"
    standing.configure(containers=[web, neighbour], auto_detect=False)
    before = standing.started(neighbour), standing.started(web)
    standing.write(page="two")
    for kind in ("status", "restart", "deploy", "logs"):
        said = refusal(standing.do(kind))
        assert said.startswith(f"Container '{neighbour}' belongs to Compose project 'bank', not to")
    assert (standing.started(neighbour), standing.started(web)) == before
    assert standing.site() == "one"


def test_the_projects_file_is_told_to_name_a_container_of_another_project(
    standing: DeployScene, neighbour: str
) -> None:
    web = f"{standing.name}-web-1"
    standing.configure(containers=[web, neighbour])

    def told() -> str:
        problem = standing.api.request("GET", f"/projects/{standing.project}")["problem"]
        return str(problem["message"]) if problem else ""

    assert neighbour in eventually(told, "the host's worker has looked")
    standing.configure(containers=[web])
    eventually(lambda: not told(), "it looks again")


def test_a_protected_container_that_nobody_has_is_an_error(standing: DeployScene) -> None:
    web = f"{standing.name}-web-1"
    standing.configure(protected=[f"{standing.name}-web1"])
    before = standing.started(web)
    standing.write(page="two")
    for kind in ("restart", "deploy"):
        job = standing.do(kind)
        told = f"'{standing.name}-web1' is `protected` in project '{standing.project}'"
        assert refusal(job).startswith(told)
        assert job.error is not None
        assert f"Did you mean '{web}'?" in job.error.hint
    assert standing.started(web) == before
    assert "no container has that name" in str((standing.do("status").result or {})["notices"])


def test_a_protected_container_that_the_deploy_makes_is_none(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene(primary_container=None)
    scene.write(**{"compose.yaml": WITHOUT_SITE})
    scene.configure(protected=[f"{scene.name}-side-1"])
    job = scene.do("deploy")
    assert job.state == "succeeded", job.error


def test_a_service_that_is_added_does_not_become_the_primary_one(
    siteless: DeployScene,
) -> None:
    scene = siteless
    scene.write(**{"compose.yaml": ONE_MORE})
    for _ in range(2):
        assert scene.do("deploy").state == "succeeded"
        first, *others = (scene.do("status").result or {})["containers"]
        assert (first["name"], first["primary"]) == (f"{scene.name}-side-1", True)
        assert not [row for row in others if row["primary"]]
        scene.write(page="two")
