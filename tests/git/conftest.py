"""Fixtures with a Git server and a workspace cloned from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scar.projects import ProjectsFile
from tests.support.git_scene import GitScene
from tests.support.git_server import GitServer


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitServer]:
    server = GitServer(tmp_path / "server")
    monkeypatch.setenv("GIT_SSL_CAINFO", str(server.certificate))
    yield server
    server.close()


@pytest.fixture
def projects(tmp_path: Path) -> ProjectsFile:
    return ProjectsFile(tmp_path / "projects.json")


@pytest.fixture
def scene(server: GitServer, tmp_path: Path) -> GitScene:
    return GitScene(server, tmp_path)
