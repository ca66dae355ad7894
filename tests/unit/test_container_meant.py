"""Which project and container a word behind `/docker_logs` means."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from scar.commands.follow import COMMAND as FOLLOW
from scar.commands.logs import COMMAND as LOGS
from scar.errors import ScarError, project_not_found
from scar.projects import Project, ProjectsFile


class Known:
    """Three projects; `shop` is the default one, `blog` finds its containers itself."""

    def __init__(self) -> None:
        self.projects = {
            name: Project(
                name, Path("/w"), Path("/p"), name, containers, auto_detect=not containers
            )
            for name, containers in (
                ("shop", ("backend", "db")),
                ("store", ("db", "worker", "store-cache-1")),
                ("blog", ()),
            )
        }

    def get(self, name: str) -> Project:
        if name not in self.projects:
            raise project_not_found(name, list(self.projects))
        return self.projects[name]

    def default(self) -> Project:
        return self.projects["shop"]


@pytest.mark.parametrize(
    ("words", "project", "container"),
    [
        ((), "shop", None),
        (("store",), "store", None),
        (("store/db",), "store", "db"),
        (("backend",), "shop", "backend"),
        (("db",), "shop", "db"),
        (("worker",), "store", "worker"),
        (("cache",), "store", "cache"),
        (("blog-web-1",), "blog", "blog-web-1"),
    ],
)
def test_a_word_that_is_no_project_is_a_container(
    words: tuple[str, ...], project: str, container: str | None
) -> None:
    known = Known()
    for command in (LOGS, FOLLOW):
        meant = command.parse(words, cast("ProjectsFile", known), known.default)
        assert meant.project == known.projects[project]
        assert meant.args.get("container") == container


def test_a_word_that_is_neither_project_nor_container_is_answered_with_the_nearest_project() -> (
    None
):
    known = Known()
    with pytest.raises(ScarError, match="Project 'shp' not found") as error:
        LOGS.parse(("shp", "20"), cast("ProjectsFile", known), known.default)
    assert "Did you mean 'shop'?" in error.value.hint
