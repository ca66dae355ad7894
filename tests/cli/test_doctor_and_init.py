"""`scar doctor` and `scar init` on a real Engine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.installation import Installation

_LABEL = "com.docker.compose."


@pytest.fixture
def compose_project() -> Iterator[str]:
    """Two containers with Compose's labels; `app` depends on `zdb`."""
    name = f"scarinit{uuid4().hex[:8]}"
    image = subprocess.check_output(
        ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"], text=True
    )
    base = next(line for line in image.split() if "busybox" in line)
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


def test_init_without_an_engine_fails_and_writes_nothing(installation: Installation) -> None:
    completed = installation.scar("init", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert completed.returncode == 1
    assert "Docker Engine cannot be reached" in completed.stderr
    assert not installation.projects_file.exists()


def test_doctor_names_a_configured_container_that_does_not_exist(running: Installation) -> None:
    completed = running.scar("doctor")
    assert completed.returncode == 1
    assert "✅ docker compose: version" in completed.stdout
    assert "✅ redis: version" in completed.stdout
    assert "✅ worker of 'default': 1 alive" in completed.stdout
    assert "✅ api: " in completed.stdout
    assert "Container 'scar-test-no-such-container' not found" in completed.stdout
    assert "1 to mend." in completed.stdout


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
        "❌ redis: ",
        "❌ api: ",
        "✅ state folder: ",
    ):
        assert line in completed.stdout
    assert "Traceback" not in completed.stderr
