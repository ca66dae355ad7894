"""What an instruction means: for which project, with which words, and how it reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scar.commands.agent import COMMAND, LONGEST
from scar.commands.command import WhichProject
from scar.errors import ScarError
from scar.projects import Project, ProjectsFile, workspace_resource
from workers.agent.command import agent_command


def projects(folder: Path, *able: str) -> ProjectsFile:
    """Two projects, of which `able` have an agent."""
    entries = {
        name: {
            "workspace": f"/w/{name}",
            "production": f"/p/{name}",
            "containers": [f"{name}-1"],
            **({"agent": "agent"} if name in able else {}),
        }
        for name in ("shop", "project-orchestrator")
    }
    path = folder / "projects.json"
    path.write_text(json.dumps(entries))
    return ProjectsFile(path)


def meant(file: ProjectsFile, text: str) -> tuple[str, str]:
    def default() -> Project:
        return file.get("shop")

    found = COMMAND.parse((text,), file, default)
    assert found.project
    return found.project.name, found.args["instruction"]


@pytest.mark.parametrize(
    "text",
    [
        "fix the timeout bug in project-orchestrator",
        "fix the timeout bug in `project-orchestrator`.",
        "Project-Orchestrator's timeout is too short",
        "fix this,\nplease: (project-orchestrator)",
    ],
)
def test_the_project_that_is_named(tmp_path: Path, text: str) -> None:
    file = projects(tmp_path, "shop", "project-orchestrator")
    assert meant(file, text) == ("project-orchestrator", text)


def test_a_name_and_a_colon_in_front(tmp_path: Path) -> None:
    file = projects(tmp_path, "shop", "project-orchestrator")
    found = meant(file, "shop: as in project-orchestrator\n  - one\n  - two")
    assert found == ("shop", "as in project-orchestrator\n  - one\n  - two")


def test_the_only_one_with_an_agent(tmp_path: Path) -> None:
    assert meant(projects(tmp_path, "shop"), "fix the bug") == ("shop", "fix the bug")
    both = "fix shop as project-orchestrator does"
    assert meant(projects(tmp_path, "shop"), both) == ("shop", both)


@pytest.mark.parametrize(
    "text", ["fix it", "workshop", "shop/app.py", "shop, project-orchestrator"]
)
def test_otherwise_it_is_asked_and_the_answer_is_understood(tmp_path: Path, text: str) -> None:
    file = projects(tmp_path, "shop", "project-orchestrator")
    with pytest.raises(WhichProject) as caught:
        meant(file, text)
    for name, answer in caught.value.choices.items():
        assert meant(file, answer.removeprefix("/agent ")) == (name, text)


def test_nobody_has_an_agent(tmp_path: Path) -> None:
    assert meant(projects(tmp_path), "fix it")[0] == "shop"


@pytest.mark.parametrize("text", ["", " \n ", "\x00", "\x1b[31m", "x" * (LONGEST + 1)])
def test_what_is_no_instruction(tmp_path: Path, text: str) -> None:
    with pytest.raises(ScarError) as caught:
        meant(projects(tmp_path, "shop"), text)
    assert caught.value.code == "invalid_request"


def test_it_holds_the_workspace_alone(tmp_path: Path) -> None:
    shop = projects(tmp_path).get("shop")
    assert COMMAND.locks(shop, {}) == (workspace_resource(shop),)
    assert COMMAND.changes
    assert not COMMAND.asks


@pytest.mark.parametrize(
    ("line", "words", "said"),
    [
        ("claude -p", ("claude", "-p", "fix it"), None),
        ("/opt/agent.py --yes", ("/opt/agent.py", "--yes", "fix it"), None),
        ("codex exec -", ("codex", "exec"), "fix it"),
        ("aider --message {} --yes", ("aider", "--message", "fix it", "--yes"), None),
        ("a 'b c' $HOME ; d", ("a", "b c", "$HOME", ";", "d", "fix it"), None),
    ],
)
def test_the_command_line(line: str, words: tuple[str, ...], said: str | None) -> None:
    found = agent_command("shop", line, "fix it")
    assert (found.words, found.said) == (words, said)


def test_an_instruction_is_never_an_option() -> None:
    words = agent_command("shop", "agent", "--dangerously-skip-permissions").words
    assert words == ("agent", " --dangerously-skip-permissions")


@pytest.mark.parametrize("line", [None, "", "-", "{}", "agent 'open"])
def test_a_command_line_that_is_none(line: str | None) -> None:
    with pytest.raises(ScarError) as caught:
        agent_command("shop", line, "fix it")
    assert caught.value.code == "project_invalid"
