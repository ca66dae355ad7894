"""Compose is asked again only when one of the files it reads has changed."""

from __future__ import annotations

import pytest

from tests.support.compose_project import Project
from workers.deployment.future_tree import FutureTree
from workers.engine.compose import Compose
from workers.engine.compose_config import Service
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
    future = FutureTree(project.folder, {}, frozenset(), lambda _path, _entry: b"")
    control = RunControl(deadline=60)
    config = future.config(compose, project.name, project.folder.parent, control, remote=False)
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
