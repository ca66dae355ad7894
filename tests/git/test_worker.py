"""`/clone` and `/project_add` by a real worker, and by one that is killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scar.client import ApiClient
from scar.jobs.record import Job
from tests.support.git_server import GitServer, git
from tests.support.installation import Installation
from tests.support.waiting import eventually

SECRET = "clones-and-projects-1"


class Scar:
    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self._api = ApiClient(f"http://127.0.0.1:{installation.port}", lambda *_: SECRET)

    def ask(self, kind: str, args: dict[str, Any], *, yes: bool = False) -> Job:
        body: dict[str, Any] = {"kind": kind, "args": args}
        if yes:
            body["confirm"] = "yes"
        return Job.from_json(self._api.request("POST", "/jobs", json=body))

    def end_of(self, job: Job) -> Job:
        for _ in self._api.events(job.id, 0):
            pass
        return self._api.job(job.id)


@pytest.fixture
def scar(server: GitServer, tmp_path: Path) -> Iterator[Scar]:
    installation = Installation(
        tmp_path / "home",
        SCAR_API_TOKENS=f"test:admin:{SECRET}",
        SCAR_CLONE_HOSTS=server.place,
        GIT_SSL_CAINFO=str(server.certificate),
    )
    installation.folder.mkdir()
    installation.projects_file.write_text("{}")
    installation.up()
    yield Scar(installation)
    installation.down()


def test_a_repository_can_be_cloned_and_added_as_a_project(server: GitServer, scar: Scar) -> None:
    author = server.repository("ada/shop", {"compose.yaml": "services: {}\n"})
    cloned = scar.end_of(scar.ask("clone", {"url": f"{server.url}/ada/shop"}))
    assert cloned.state == "succeeded", cloned.error
    assert cloned.result is not None
    folder = scar.installation.folder / "shop"
    assert git(folder, "rev-parse", "HEAD") == git(author, "rev-parse", "HEAD")
    added = scar.end_of(scar.ask("project_add", {"name": "shop"}, yes=True))
    assert added.state == "succeeded", added.error
    assert json.loads(scar.installation.projects_file.read_text()) == {
        "shop": cloned.result["entry"]
    }


def test_a_clone_whose_worker_is_killed_is_completed_by_another(
    server: GitServer, scar: Scar
) -> None:
    server.repository("ada/shop")
    server.hold.clear()
    job = scar.ask("clone", {"url": f"{server.url}/ada/shop"})
    hidden = scar.installation.folder / ".scar-clone-shop"
    eventually(hidden.exists, "Git is at work")
    eventually(lambda: server.authorizations, "Git asks the server")
    scar.installation.kill_all("celery")
    server.hold.set()
    job = scar.end_of(job)
    assert job.state == "succeeded", job.error
    assert job.attempt == 2
    assert not hidden.exists()
    assert git(scar.installation.folder / "shop", "status", "--porcelain") == ""
