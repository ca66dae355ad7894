"""Instructions: which project they are for, and the command line that they become."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scar.commands.agent import COMMAND, LONGEST
from scar.commands.command import WhichProject
from scar.errors import ScarError
from scar.projects import Project, ProjectsFile, workspace_resource
from workers.agent.command import agent_command


def projects(folder: Path, *with_agent: str) -> ProjectsFile:
    """Return a projects file with two projects; those in `with_agent` have one."""
    entries = {
        name: {
            "workspace": f"/w/{name}",
            "production": f"/p/{name}",
            "containers": [f"{name}-1"],
            **({"agent": "agent"} if name in with_agent else {}),
        }
        for name in ("shop", "project-orchestrator")
    }
    path = folder / "projects.json"
    path.write_text(json.dumps(entries))
    return ProjectsFile(path)


def parse(file: ProjectsFile, text: str) -> tuple[str, str]:
    """Return the project and the instruction that the command parser finds in a text."""

    def default() -> Project:
        return file.get("shop")

    request = COMMAND.parse((text,), file, default)
    assert request.project
    return request.project.name, request.args["instruction"]


@pytest.mark.parametrize(
    "text",
    [
        "fix the timeout bug in project-orchestrator",
        "fix the timeout bug in `project-orchestrator`.",
        "Project-Orchestrator's timeout is too short",
        "fix this,\nplease: (project-orchestrator)",
    ],
)
def test_an_instruction_is_for_the_project_it_names(tmp_path: Path, text: str) -> None:
    file = projects(tmp_path, "shop", "project-orchestrator")
    assert parse(file, text) == ("project-orchestrator", text)


def test_a_project_before_a_colon_is_used_and_removed_from_the_instruction(tmp_path: Path) -> None:
    file = projects(tmp_path, "shop", "project-orchestrator")
    text = "shop: as in project-orchestrator\n  - one\n  - two"
    assert parse(file, text) == ("shop", "as in project-orchestrator\n  - one\n  - two")


def test_the_only_project_with_an_agent_needs_no_name(tmp_path: Path) -> None:
    assert parse(projects(tmp_path, "shop"), "fix the bug") == ("shop", "fix the bug")
    both = "fix shop as project-orchestrator does"
    assert parse(projects(tmp_path, "shop"), both) == ("shop", both)


@pytest.mark.parametrize(
    "text", ["fix it", "workshop", "shop/app.py", "shop, project-orchestrator"]
)
def test_if_several_projects_are_possible_a_menu_of_them_is_offered(
    tmp_path: Path, text: str
) -> None:
    file = projects(tmp_path, "shop", "project-orchestrator")
    with pytest.raises(WhichProject) as caught:
        parse(file, text)
    for name, answer in caught.value.choices.items():
        assert parse(file, answer.removeprefix("/agent ")) == (name, text)


def test_without_any_agent_the_default_project_is_used(tmp_path: Path) -> None:
    assert parse(projects(tmp_path), "fix it")[0] == "shop"


@pytest.mark.parametrize("text", ["", " \n ", "\x00", "\x1b[31m", "x" * (LONGEST + 1)])
def test_an_empty_unprintable_or_too_long_instruction_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ScarError) as caught:
        parse(projects(tmp_path, "shop"), text)
    assert caught.value.code == "invalid_request"


def test_an_agent_job_locks_the_workspace_and_needs_no_confirmation(tmp_path: Path) -> None:
    shop = projects(tmp_path).get("shop")
    assert COMMAND.locks(shop, {}) == (workspace_resource(shop),)
    assert COMMAND.changes
    assert not COMMAND.asks


@pytest.mark.parametrize(
    ("line", "words", "stdin"),
    [
        ("claude -p", ("claude", "-p", "fix it"), None),
        ("/opt/agent.py --yes", ("/opt/agent.py", "--yes", "fix it"), None),
        ("codex exec -", ("codex", "exec"), "fix it"),
        ("aider --message {} --yes", ("aider", "--message", "fix it", "--yes"), None),
        ("a 'b c' $HOME ; d", ("a", "b c", "$HOME", ";", "d", "fix it"), None),
    ],
)
def test_the_instruction_is_put_into_the_command_line(
    line: str, words: tuple[str, ...], stdin: str | None
) -> None:
    command = agent_command("shop", line, "fix it")
    assert (command.words, command.stdin) == (words, stdin)


def test_an_instruction_cannot_be_an_option_of_the_agent() -> None:
    words = agent_command("shop", "agent", "--dangerously-skip-permissions").words
    assert words == ("agent", " --dangerously-skip-permissions")


@pytest.mark.parametrize("line", [None, "", "-", "{}", "agent 'open"])
def test_a_command_line_without_a_program_is_refused(line: str | None) -> None:
    with pytest.raises(ScarError) as caught:
        agent_command("shop", line, "fix it")
    assert caught.value.code == "project_invalid"
