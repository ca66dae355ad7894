from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scar.errors import ScarError
from scar.projects import ProjectsFile
from scar.settings import Settings


def _entry(name: str, host: str = "default") -> dict[str, Any]:
    return {
        "workspace": f"/w/{name}",
        "production": f"/srv/{name}",
        "containers": [name],
        "host": host,
    }


FIRST = json.dumps({name: _entry(name) for name in ("project-orchestrator", "health-agent")})
OTHER = json.dumps({name: _entry(name) for name in ("app-dev", "app-prod")})


def _shop(host: str) -> str:
    return json.dumps({"shop": _entry("shop", host)})


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "projects.json"


def test_a_change_takes_effect_at_the_next_access(path: Path) -> None:
    path.write_text(_shop("a"))
    file = ProjectsFile(path)
    for host in "bcdefghij" * 10:  # same size, many within one tick of the clock
        path.write_text(_shop(host))
        assert file.get("shop").host == host
    beside = path.with_suffix(".new")
    beside.write_text(FIRST)
    beside.replace(path)
    assert "health-agent" in file.projects


def test_a_change_within_one_tick_of_a_coarse_clock_takes_effect(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scar.projects.file._signature", lambda _: (0, 0, 0, 0))
    path.write_text(_shop("a"))
    file = ProjectsFile(path)
    assert file.get("shop").host == "a"
    path.write_text(_shop("b"))
    assert file.get("shop").host == "b"


def test_a_change_that_keeps_size_and_modification_time_takes_effect(path: Path) -> None:
    path.write_text(_shop("a"))
    os.utime(path, (1_000_000_000, 1_000_000_000))
    file = ProjectsFile(path, clock=lambda: path.stat().st_ctime + 60)
    assert file.get("shop").host == "a"
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        path.write_text(_shop("b"))
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert file.get("shop").host == "b"


def test_a_settled_file_is_read_again_only_when_it_changes(path: Path) -> None:
    path.write_text(_shop("a"))
    file = ProjectsFile(path, clock=lambda: path.stat().st_ctime + 60)
    assert file.get("shop").host == "a"
    before = file.projects
    assert file.projects is before
    path.write_text(_shop("bb"))
    assert file.get("shop").host == "bb"
    path.write_text(_shop("bb"))
    file.reload()
    assert file.get("shop").host == "bb"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_text(FIRST[:100]),
        lambda path: path.write_text(""),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.mkdir()),
        _fifo,
        lambda path: (path.unlink(), path.symlink_to(path)),
        lambda path: path.write_bytes(b"x" * 2_000_000),
        lambda path: path.write_text(FIRST.replace("containers", "contaners")),
    ],
)
@pytest.mark.timeout(20)
def test_the_last_valid_configuration_stays_in_use(
    path: Path, spoil: Callable[[Path], Any]
) -> None:
    path.write_text(FIRST)
    file = ProjectsFile(path)
    assert file.problem is None
    spoil(path)
    assert file.problem is not None
    assert file.problem.message.endswith("Still using the last good version.")
    assert file.names() == ["project-orchestrator", "health-agent"]
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    path.write_text(OTHER)
    assert file.names() == ["app-dev", "app-prod"]
    assert file.problem is None


def test_a_missing_comma_is_told_in_one_sentence(path: Path) -> None:
    path.write_text(FIRST)
    file = ProjectsFile(path)
    assert file.problem is None
    lines = json.dumps(json.loads(FIRST), indent=2).splitlines()
    lines[3] = lines[3].removesuffix(",")
    path.write_text("\n".join(lines))
    assert file.problem is not None
    column = len(lines[4]) - len(lines[4].lstrip()) + 1
    assert file.problem.message == (
        f"Projects file not loaded, line 5 column {column}: ',' missing. "
        "Still using the last good version."
    )
    assert str(path) in file.problem.hint


def test_without_a_file_there_is_no_project_and_the_hint_names_scar_init(path: Path) -> None:
    file = ProjectsFile(path)
    assert dict(file.projects) == {}
    assert file.problem is not None
    assert "scar init" in file.problem.hint
    with pytest.raises(ScarError) as caught:
        file.get("shop")
    assert caught.value.record() == file.problem
    with pytest.raises(ScarError) as caught:
        file.default(Settings())
    assert caught.value.record() == file.problem


def test_an_unknown_project_is_refused_with_the_nearest_name(path: Path) -> None:
    path.write_text(FIRST)
    with pytest.raises(ScarError) as caught:
        ProjectsFile(path).get("helth-agent")
    assert caught.value.code == "project_not_found"
    assert caught.value.message == "Project 'helth-agent' not found in configuration"
    assert "Did you mean 'health-agent'?" in caught.value.hint


def test_the_default_project_is_the_setting_else_the_first(path: Path) -> None:
    path.write_text(FIRST)
    file = ProjectsFile(path)
    assert file.default(Settings()).name == "project-orchestrator"
    assert file.default(Settings(default_project="health-agent")).name == "health-agent"
    with pytest.raises(ScarError, match="Project 'gone' not found in configuration"):
        file.default(Settings(default_project="gone"))
    path.write_text("{}")
    with pytest.raises(ScarError, match="There is no project in"):
        file.default(Settings())


def test_the_mapping_of_projects_is_read_only(path: Path) -> None:
    path.write_text(FIRST)
    projects = ProjectsFile(path).projects
    with pytest.raises(TypeError):
        projects["x"] = projects["health-agent"]  # type: ignore[index]


def test_threads_never_see_a_mixture_of_two_configurations(path: Path) -> None:
    path.write_text(FIRST)
    file = ProjectsFile(path)
    both = (["project-orchestrator", "health-agent"], ["app-dev", "app-prod"])
    seen: list[list[str]] = []

    def read_names() -> None:
        for _ in range(200):
            seen.append(file.names())

    threads = [threading.Thread(target=read_names) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(100):
        path.write_text(OTHER if number % 2 else FIRST)
    for thread in threads:
        thread.join()
    assert len(seen) == 600
    assert all(names in both for names in seen)
