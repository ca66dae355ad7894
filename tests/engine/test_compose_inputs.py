"""What Compose read before it need not read again; whatever else changes is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.engine.compose import Compose
from workers.engine.compose_inputs import inputs_digest

from .projects import Project

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
    shape = project.write(COMPOSE, **{"web.env": "COLOUR=red\n"})
    first = compose.config(shape).services["web"]
    assert compose.config(shape).services["web"] is first
    project.write(COMPOSE, **{file: text})
    assert compose.config(shape).services["web"].config_hash != first.config_hash


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
    file = tmp_path / "compose.yaml"
    file.write_text(text)
    assert inputs_digest(tmp_path, (file,), None, ()) is None


def test_a_missing_file_is_compose_s_to_tell(tmp_path: Path) -> None:
    assert inputs_digest(tmp_path, (tmp_path / "compose.yaml",), None, ()) is None


def test_the_same_file_in_another_folder_is_another_project(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services: {}\n")
    here = inputs_digest(tmp_path, (file,), None, ())
    assert here is not None
    assert here != inputs_digest(tmp_path / "other", (file,), None, ())
