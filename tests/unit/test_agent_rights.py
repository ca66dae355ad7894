"""`scar doctor` and `scar init` know when an agent could write the projects file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scar.cli.checks.projects import _check_projects_file
from scar.projects import agent_rights
from scar.settings import Settings

AGENT = 54321


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of root, with a workspace of the agent's user."""
    (tmp_path / "shop").mkdir()
    os.chown(tmp_path / "shop", AGENT, AGENT)
    return tmp_path


def test_the_default_place_is_fine_while_its_folder_is_not_the_agents(folder: Path) -> None:
    file = folder / ".scar-projects.json"
    file.write_text("{}")
    assert agent_rights.problems(file, [folder / "shop", folder / "none"]) == []


def test_a_folder_of_the_agents_user_is_named(folder: Path) -> None:
    file = folder / ".scar-projects.json"
    file.write_text("{}")
    os.chown(folder, AGENT, AGENT)
    (problem,) = agent_rights.problems(file, [folder / "shop"])
    assert problem == f"{folder} can be written by user {AGENT}, who owns {folder / 'shop'}"
    inside = folder / "shop" / "projects.json"
    assert "is in the workspace" in agent_rights.problems(inside, [folder / "shop"])[0]


def test_doctor_names_the_folder_that_the_agent_could_write(folder: Path) -> None:
    file = folder / ".scar-projects.json"
    entry = f'"workspace": "{folder}/shop", "production": "{folder}/p", "auto_detect": true'
    file.write_text(f'{{"shop": {{{entry}, "agent": "x"}}}}')
    os.chown(folder, AGENT, AGENT)
    env = {"SCAR_PROJECTS_FILE": str(file), "SCAR_STATE_DIR": "/var/lib/scar-nowhere"}
    findings = list(_check_projects_file(Settings.load(env, dotenv=None)))
    assert any("can be written by user" in f.detail and "refused" in f.remedy for f in findings)
