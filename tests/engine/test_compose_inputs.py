"""What Compose read before it need not read again; whatever else changes is seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.compose_project import Project
from workers.deployment.future_tree import FutureTree
from workers.engine.compose import Compose, Watch
from workers.engine.compose_config import Service
from workers.engine.compose_inputs import inputs_digest

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
    preview = FutureTree(project.folder, {}, frozenset(), project.folder.joinpath)
    config = preview.config(compose, project.name, project.folder.parent, Watch(deadline=60))
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
def test_a_change_of_anything_it_reads_is_seen(
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
def test_what_reads_other_files_is_never_remembered(tmp_path: Path, text: str) -> None:
    (tmp_path / "compose.yaml").write_text(text)
    assert inputs_digest(("compose.yaml",), tmp_path.joinpath, ()) is None


def test_a_missing_file_is_compose_s_to_tell(tmp_path: Path) -> None:
    assert inputs_digest(("compose.yaml",), tmp_path.joinpath, ()) is None


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    os.mkfifo(tmp_path / ".env")
    with pytest.raises(ScarError) as refused:
        inputs_digest(("compose.yaml",), tmp_path.joinpath, ())
    assert refused.value.code == "project_invalid"
    assert "not a regular file" in refused.value.message
