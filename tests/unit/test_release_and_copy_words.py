"""How the words behind `/docker_rollback` and `/docker_kept` name a release and a copy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scar.commands import job_commands
from scar.commands.job_command import Invocation
from scar.errors import ScarError
from scar.projects import ProjectsFile

ID = "01JAAAAAAAAAAAAAAAAAAAAAAA"
Parse = Callable[[str, str], Invocation]


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    entry = {"auto_detect": True}
    names = ("shop", "01abc", "bank")
    entries = {
        name: {**entry, "workspace": f"/w/{name}", "production": f"/p/{name}"} for name in names
    }
    (tmp_path / "projects.json").write_text(json.dumps(entries))
    projects = ProjectsFile(tmp_path / "projects.json")

    def parsed(kind: str, text: str) -> Invocation:
        words = text.split()
        return job_commands()[kind].parse(words, projects, lambda: projects.get("shop"))

    return parsed


@pytest.mark.parametrize(
    ("text", "project", "release"),
    [
        ("", "shop", None),
        ("bank", "bank", None),
        (ID, "shop", ID),
        (ID.lower()[:10], "shop", ID.lower()[:10]),
        (f"bank {ID[:6]}", "bank", ID[:6]),
        (f"{ID[:6]} bank", "bank", ID[:6]),
        ("01abc", "01abc", None),
        ("01abc 01abd", "01abc", "01abd"),
        ("bank nonsense", "bank", "nonsense"),
    ],
)
def test_a_release_is_named_by_the_beginning_of_its_id(
    parse: Parse, text: str, project: str, release: str | None
) -> None:
    invocation = parse("rollback", text)
    assert invocation.project is not None
    assert invocation.project.name == project
    assert invocation.args == ({"release": release} if release else {})


@pytest.mark.parametrize("text", ["nonsense", "nonsense bonk", f"bank {ID} {ID}", "bank ../etc"])
def test_words_that_name_no_release_are_refused(parse: Parse, text: str) -> None:
    with pytest.raises(ScarError):
        parse("rollback", text)


@pytest.mark.parametrize(
    ("kind", "text", "project", "number"),
    [
        ("kept", "restore 1", "shop", 1),
        ("kept", "restore bank 12", "bank", 12),
        ("kept", "bank restore 12", "bank", 12),
        ("kept_restore", "3 bank", "bank", 3),
    ],
)
def test_a_kept_file_is_brought_back_by_its_number(
    parse: Parse, kind: str, text: str, project: str, number: int
) -> None:
    invocation = parse(kind, text)
    assert invocation.command is job_commands()["kept_restore"]
    assert invocation.project is not None
    assert invocation.project.name == project
    assert invocation.args == {"number": number}


@pytest.mark.parametrize("text", ["restore", "restore page", "restore 0", "restore 1 2"])
def test_a_restore_without_a_number_is_refused(parse: Parse, text: str) -> None:
    with pytest.raises(ScarError, match="number"):
        parse("kept", text)


def test_kept_alone_still_lists(parse: Parse) -> None:
    assert parse("kept", "bank").command is None
