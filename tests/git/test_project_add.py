"""`/project_add` writes one entry into the projects file and changes no other byte."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from scar.errors import ScarError
from scar.projects import ProjectsFile
from scar.settings import Settings
from tests.support.job_context import job_context, settings_in
from workers.operations.project_add import HANDLER
from workers.runtime.handlers import PlanChanged

OLD = """{
    "po":   {"workspace": "/w/po", "production": "/home/ada/po", "auto_detect": true}
}

"""


def settings_with(folder: Path, text: str | None = OLD) -> Settings:
    settings = settings_in(folder)
    (folder / "ws" / "shop").mkdir()
    if text is not None:
        settings.projects_file.write_bytes(text.encode())
    return settings


def add(settings: Settings, confirmed: str | None = None, **more: int) -> None:
    HANDLER.run(job_context("project_add", {"name": "shop"}, settings, **more), confirmed)  # type: ignore[arg-type]


def test_adding_a_project_changes_no_other_byte_of_the_projects_file(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    settings.projects_file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(settings.projects_file, 1234, 2345)
    plan = HANDLER.plan(job_context("project_add", {"name": "shop"}, settings))
    add(settings, plan.hash)
    text = settings.projects_file.read_text()
    assert text.startswith(OLD.rstrip()[:-1].rstrip() + ",\n")
    assert text.endswith("\n}\n\n")
    assert list(json.loads(text)) == ["po", "shop"]
    assert json.loads(text)["shop"] == plan.entry.to_json()
    assert plan.entry.production == "/home/ada/shop"
    status = settings.projects_file.stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    if os.geteuid() == 0:
        assert (status.st_uid, status.st_gid) == (1234, 2345)
    assert ProjectsFile.of(settings).get("shop").auto_detect
    assert sorted(os.listdir(tmp_path / "ws")) == [".scar-projects.json", "shop"]


@pytest.mark.parametrize(
    "text", ["{}", "{}\n", " {\r\n}\r\n", "\ufeff{}", OLD.replace("\n", "\r\n")]
)
def test_the_files_indentation_and_line_ends_are_kept(tmp_path: Path, text: str) -> None:
    settings = settings_with(tmp_path, text)
    add(settings)
    assert "shop" in ProjectsFile.of(settings).projects
    added = settings.projects_file.read_bytes().decode()
    if "\r\n" in text:
        assert added.count("\n") == added.count("\r\n")


def test_a_projects_file_that_is_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, None)
    real = tmp_path / "real.json"
    real.write_text("{}")
    settings.projects_file.symlink_to(real)
    add(settings)
    assert settings.projects_file.is_symlink()
    assert "shop" in json.loads(real.read_text())


def test_a_projects_file_changed_after_the_question_is_asked_about_again(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    plan = HANDLER.plan(job_context("project_add", {"name": "shop"}, settings))
    settings.projects_file.write_text(OLD + "\n")
    with pytest.raises(PlanChanged):
        add(settings, plan.hash)
    assert settings.projects_file.read_text() == OLD + "\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "project_invalid"),
        ("{", "project_invalid"),
        ("[]", "project_invalid"),
        ('{"shop": {}}', "project_invalid"),
        (OLD.replace("po", "shop"), "conflict"),
        (OLD.replace('"po":', '"other":').replace("/ada/po", "/ada/shop"), "project_invalid"),
    ],
)
def test_a_refused_project_changes_nothing(tmp_path: Path, text: str | None, code: str) -> None:
    settings = settings_with(tmp_path, text)
    with pytest.raises(ScarError) as refusal:
        add(settings)
    assert refusal.value.code == code
    assert refusal.value.hint
    if text is not None:
        assert settings.projects_file.read_text() == text
    assert "shop" in os.listdir(tmp_path / "ws")


def test_the_error_names_a_workspace_folder_that_is_missing(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    (tmp_path / "ws" / "shop").rmdir()
    with pytest.raises(ScarError, match="There is no folder"):
        add(settings)


def test_an_entry_is_not_added_twice_if_the_worker_is_killed_before_reporting(
    tmp_path: Path,
) -> None:
    settings = settings_with(tmp_path)
    add(settings)
    text = settings.projects_file.read_text()
    add(settings, attempt=2)
    assert settings.projects_file.read_text() == text
    with pytest.raises(ScarError, match="already"):
        add(settings)
