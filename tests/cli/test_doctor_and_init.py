"""`scar doctor` and `scar init` on a real Engine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.compose_project import run_docker
from tests.support.installation import Installation

_LABEL = "com.docker.compose."


def sample_image() -> str:
    images = run_docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    return next(line for line in images.split() if "busybox" in line)


@pytest.fixture
def compose_project() -> Iterator[str]:
    """Two containers with Compose's labels; `app` depends on `zdb`."""
    name = f"scarinit{uuid4().hex[:8]}"
    base = sample_image()
    for service, needs in (("zdb", ""), ("app", "zdb:service_started:false")):
        labels = {
            "project": name,
            "service": service,
            "depends_on": needs,
            "oneoff": "False",
            "project.working_dir": f"/srv/{name}",
        }
        pairs = [f"{_LABEL}{key}={value}" for key, value in labels.items()]
        flags = [part for pair in pairs for part in ("--label", pair)]
        container = f"{name}-{service}-1"
        subprocess.run(
            ["docker", "run", "-d", "--name", container, *flags, base, "sleep", "600"],
            check=True,
            capture_output=True,
        )
    yield name
    ids = [f"{name}-zdb-1", f"{name}-app-1"]
    subprocess.run(["docker", "rm", "-f", *ids], check=True, capture_output=True)


def test_init_writes_the_running_projects_and_never_overwrites_a_file(
    installation: Installation, compose_project: str
) -> None:
    nothing = installation.scar("init")
    assert nothing.returncode != 0
    assert f"'{compose_project}': there is no folder" in nothing.stderr
    (installation.folder / compose_project).mkdir()
    completed = installation.scar("init")
    assert completed.returncode == 0, completed.stderr
    entry = json.loads(installation.projects_file.read_text())[compose_project]
    assert entry == {
        "workspace": str(installation.folder / compose_project),
        "production": f"/srv/{compose_project}",
        "compose_project": compose_project,
        "containers": [f"{compose_project}-zdb-1", f"{compose_project}-app-1"],
        "primary_container": f"{compose_project}-app-1",
    }
    before = installation.projects_file.read_bytes()
    again = installation.scar("init")
    assert again.returncode == 4
    assert "is there already" in again.stderr
    assert installation.projects_file.read_bytes() == before


@pytest.fixture
def scars_own_project() -> Iterator[str]:
    """A container of a Compose project, with the Redis that SCAR's parts share."""
    name = f"scarown{uuid4().hex[:8]}"
    run_docker(
        *("run", "-d", "--name", name, "-e", "SCAR_REDIS_URL=redis://redis", "--label"),
        *(f"{_LABEL}project={name}", sample_image(), "sleep", "600"),
    )
    yield name
    run_docker("rm", "-f", name)


def test_init_does_not_add_the_project_that_scar_runs_in(
    installation: Installation, compose_project: str, scars_own_project: str
) -> None:
    for name in (compose_project, scars_own_project):
        (installation.folder / name).mkdir()
    assert installation.scar("init").returncode == 0
    assert scars_own_project not in json.loads(installation.projects_file.read_text())


def test_doctor_reports_a_container_of_another_project_on_the_engine_in_the_env_file(
    installation: Installation, compose_project: str
) -> None:
    installation.project("shop", f"{compose_project}-app-1", "not-there")
    host = os.environ["DOCKER_HOST"]
    (installation.folder / ".env").write_text(f"DOCKER_HOST={host}\n")
    completed = installation.scar("doctor", DOCKER_HOST="")
    told = completed.stdout
    assert (
        f"'{compose_project}-app-1' belongs to Compose project '{compose_project}', not to 'shop'"
        in told
    )
    assert f"✅ docker socket: {host.removeprefix('unix://')}" in told
    assert "Container 'not-there' not found" in told


def test_init_without_an_engine_fails_and_writes_nothing(installation: Installation) -> None:
    completed = installation.scar("init", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert completed.returncode == 1
    assert "Docker Engine cannot be reached" in completed.stderr
    assert not installation.projects_file.exists()


def test_doctor_finds_nothing_wrong_before_the_first_deploy(running: Installation) -> None:
    completed = running.scar("doctor")
    assert completed.returncode == 0, completed.stdout
    assert "✅ docker compose: version" in completed.stdout
    assert "✅ redis: version" in completed.stdout
    assert "✅ worker of 'default': 1 alive" in completed.stdout
    assert "✅ api: " in completed.stdout
    assert "✅ shop: containers: not deployed yet" in completed.stdout
    assert "✅ shell: the API knows it" in completed.stdout
    stranger = running.scar("doctor", SCAR_API_TOKEN="nobody-knows-this")
    assert "❌ SCAR_API_TOKEN: the API does not know it" in stranger.stdout
    other = running.scar("doctor", SCAR_SECRET_KEY="another-key-of-32-characters-000")
    assert "❌ key: the API does not accept what is signed with this shell's key" in other.stdout


def test_doctor_on_an_empty_machine_names_everything_that_is_missing(
    installation: Installation,
) -> None:
    completed = installation.scar(
        "doctor", PATH="/nowhere", DOCKER_HOST="unix:///nowhere/docker.sock"
    )
    assert completed.returncode == 1
    for line in (
        "❌ projects file: ",
        "❌ docker command: docker: command not found",
        "❌ docker socket: /nowhere/docker.sock: No such file",
        "❌ redis: the embedded Redis does not run",
        "✅ state folder: ",
    ):
        assert line in completed.stdout
    assert "❌ docker compose" not in completed.stdout
    assert not (installation.folder / "state").exists()
    assert "Traceback" not in completed.stderr
