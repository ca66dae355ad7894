"""Compose is asked again only when one of the files it reads has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.compose_project import Project
from workers.deployment.future_tree import FutureTree
from workers.engine.compose import Compose
from workers.engine.compose_config import Service
from workers.engine.compose_inputs import inputs_digest
from workers.engine.process import RunControl

COMPOSE = """\
services:
  web:
    image: IMAGE
    command: ["sleep", "${SECONDS_TO_SLEEP:-9}"]
    env_file:
      - web.env
      - path: maybe.env
        required: false
"""


def service(project: Project, compose: Compose) -> Service:
    future = FutureTree(project.folder, {}, frozenset(), project.folder.joinpath)
    config = future.config(compose, project.name, project.folder.parent, RunControl(deadline=60))
    return config.services["web"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("compose.yaml", COMPOSE.replace("sleep", "echo")),
        (".env", "SECONDS_TO_SLEEP=7\n"),
        ("web.env", "COLOUR=blue\n"),
        ("maybe.env", "COLOUR=green\n"),
    ],
)
def test_a_change_of_any_file_compose_reads_is_noticed(
    project: Project, compose: Compose, file: str, text: str
) -> None:
    project.write(COMPOSE, **{"web.env": "COLOUR=red\n"})
    first = service(project, compose)
    assert service(project, compose) is first
    project.write(COMPOSE, **{file: text})
    assert service(project, compose).config_hash != first.config_hash


@pytest.mark.parametrize(
    "text",
    [
        "include: [other.yaml]\nservices: {}\n",
        "services:\n  web:\n    extends: {file: other.yaml, service: web}\n",
        "services:\n  web:\n    label_file: labels\n",
        "services:\n  web:\n    env_file: $WHERE/web.env\n",
        "services:\n  web:\n    image: !override x\n",
        "services: [web]\n",
        "services:\n  web: [\n",
    ],
)
def test_a_file_that_reads_further_files_is_never_cached(tmp_path: Path, text: str) -> None:
    (tmp_path / "compose.yaml").write_text(text)
    assert inputs_digest(("compose.yaml",), tmp_path.joinpath, ()) is None


def test_a_missing_compose_file_is_never_cached(tmp_path: Path) -> None:
    assert inputs_digest(("compose.yaml",), tmp_path.joinpath, ()) is None


def test_a_pipe_in_place_of_a_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    os.mkfifo(tmp_path / ".env")
    with pytest.raises(ScarError) as refused:
        inputs_digest(("compose.yaml",), tmp_path.joinpath, ())
    assert refused.value.code == "project_invalid"
    assert "not a regular file" in refused.value.message
