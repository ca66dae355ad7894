"""A clone is complete or absent, replaces nothing, and keeps no credential."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from scar.errors import ScarError
from scar.jobs.results.clone import CloneResult
from scar.jobs.results.project_entry import ProjectEntry
from scar.settings import Settings
from tests.support.git_server import GitServer, git
from tests.support.job_context import RecordedReport, job_context, settings_in
from tests.support.stopwatch import Stopwatch
from workers.operations.clone import HANDLER
from workers.runtime.outcome import Outcome
from workers.state.project_lock import project_lock

TOKEN = "ghs_0123456789abcdefghijklmnop"


def settings_for(server: GitServer, folder: Path, **more: Any) -> Settings:
    return settings_in(folder, clone_hosts=(server.place,), **more)


def clone(
    server: GitServer, settings: Settings, name: str = "shop", **more: Any
) -> Outcome[CloneResult]:
    args = {"url": f"{server.url}/ada/shop.git", "name": name}
    return HANDLER.run(job_context("clone", args, settings, **more), None)


def names_in_workspaces(settings: Settings) -> list[str]:
    return sorted(os.listdir(settings.projects_file.parent))


def test_a_clone_is_complete_and_clean(server: GitServer, tmp_path: Path) -> None:
    files = {f"f{n}": "text\n" * n for n in range(300)} | {"compose.yaml": "services: {}\n"}
    author = server.repository("ada/shop", files)
    settings = settings_for(server, tmp_path)
    report = RecordedReport()
    result = clone(server, settings, told=report).result
    assert result is not None
    folder = settings.projects_file.parent / "shop"
    assert result.commit == git(author, "rev-parse", "HEAD") == git(folder, "rev-parse", "HEAD")
    assert result.repository == f"{server.place}/ada/shop"
    assert result.branch == "main"
    assert result.notices == ()
    assert result.entry == ProjectEntry(str(folder), "/srv/production/shop", "shop", True)
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "remote", "get-url", "origin") == f"{server.url}/ada/shop.git"
    assert not (folder / ".git" / "hooks").exists()
    assert names_in_workspaces(settings) == ["shop"]
    assert {name for name, _ in report.progressed} == {"cloning"}
    assert any(step.detail == "Receiving objects" for step in report.all_steps)


@pytest.mark.parametrize("existing", ["file", "folder", "link", "full"])
def test_a_clone_replaces_nothing_that_exists(
    server: GitServer, tmp_path: Path, existing: str
) -> None:
    server.repository("ada/shop")
    settings = settings_for(server, tmp_path)
    target = settings.projects_file.parent / "shop"
    outside = tmp_path / "outside"
    if existing == "file":
        target.write_text("mine")
    elif existing == "link":
        target.symlink_to(outside)
    else:
        target.mkdir()
        if existing == "full":
            (target / "x").write_text("mine")
    with pytest.raises(ScarError) as refusal:
        clone(server, settings)
    assert refusal.value.code == "conflict"
    assert names_in_workspaces(settings) == ["shop"]
    assert not outside.exists()


def test_a_target_created_meanwhile_is_not_replaced(server: GitServer, tmp_path: Path) -> None:
    server.repository("ada/shop")
    settings = settings_for(server, tmp_path)
    target = settings.projects_file.parent / "shop"

    def check() -> None:
        target.mkdir(exist_ok=True)

    server.hold.clear()
    threading.Timer(0.5, server.hold.set).start()

    class LateTarget(RecordedReport):
        def steps(self, *args: Any) -> None:
            super().steps(*args)
            check()

    with pytest.raises(ScarError) as refusal:
        clone(server, settings, told=LateTarget())
    assert refusal.value.code == "conflict"
    assert names_in_workspaces(settings) == ["shop"]
    assert os.listdir(target) == []


def test_a_host_that_is_not_allowed_is_never_contacted(server: GitServer, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with pytest.raises(ScarError) as refusal:
        clone(server, settings)
    assert refusal.value.code == "forbidden"
    assert server.authorizations == []


def test_a_failed_clone_leaves_nothing(server: GitServer, tmp_path: Path) -> None:
    settings = settings_for(server, tmp_path)
    with pytest.raises(ScarError) as refusal:
        clone(server, settings)
    assert refusal.value.code == "not_found"
    assert names_in_workspaces(settings) == []


def test_a_redirect_is_not_followed(server: GitServer, tmp_path: Path) -> None:
    other = GitServer(tmp_path / "other")
    try:
        server.moved["ada"] = other.url
        with pytest.raises(ScarError) as refusal:
            clone(server, settings_for(server, tmp_path))
        assert refusal.value.code == "not_found"
        assert "moved" in refusal.value.hint
        assert other.authorizations == []
    finally:
        other.close()


def test_a_private_repositorys_token_is_in_no_file_and_no_command_line(
    server: GitServer, tmp_path: Path
) -> None:
    server.repository("ada/shop")
    server.token = TOKEN
    settings = settings_for(server, tmp_path, github_token=TOKEN, github_api_url=server.url)
    server.hold.clear()
    command_lines: list[bytes] = []

    def watch_processes() -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not any(
            b"remote-https" in line for line in command_lines
        ):
            for folder in Path("/proc").iterdir():
                if folder.name.isdigit():
                    try:
                        command_lines.append((folder / "cmdline").read_bytes())
                    except OSError:
                        continue
        server.hold.set()

    watcher = threading.Thread(target=watch_processes)
    watcher.start()
    report = RecordedReport()
    result = clone(server, settings, told=report).result
    watcher.join()
    assert result is not None
    assert any(b"remote-https" in line for line in command_lines)
    assert not any(TOKEN.encode() in line for line in command_lines)
    folder = settings.projects_file.parent / "shop"
    grep = subprocess.run(["grep", "-r", TOKEN, str(tmp_path / "ws"), str(tmp_path / "state")])
    assert grep.returncode == 1
    assert TOKEN not in str(result) + str(report.all_steps) + str(report.lines)
    assert git(folder, "remote", "get-url", "origin") == f"{server.url}/ada/shop.git"


def test_the_token_is_sent_to_its_own_github_only(server: GitServer, tmp_path: Path) -> None:
    server.repository("ada/shop")
    server.token = TOKEN
    settings = settings_for(
        server, tmp_path, github_token=TOKEN, github_api_url="https://api.github.com"
    )
    with pytest.raises(ScarError) as refusal:
        clone(server, settings)
    assert refusal.value.code == "not_found"
    assert set(server.authorizations) == {None}


def test_a_cancelled_clone_ends_within_five_seconds_and_leaves_nothing(
    server: GitServer, tmp_path: Path
) -> None:
    server.repository("ada/shop")
    settings = settings_for(server, tmp_path)
    server.hold.clear()
    begun, unhindered = time.monotonic(), Stopwatch()

    def check() -> None:
        if time.monotonic() - begun > 1:
            raise ScarError("cancelled", "Cancelled by ada", "Ask again.")

    with pytest.raises(ScarError, match="Cancelled by ada"):
        clone(server, settings, told=RecordedReport(check))
    assert unhindered.seconds() < 6
    assert names_in_workspaces(settings) == []
    for folder in Path("/proc").iterdir():
        try:
            assert str(tmp_path).encode() not in (folder / "cmdline").read_bytes()
        except OSError:
            continue


def test_leftovers_of_killed_clones_are_removed_by_the_next(
    server: GitServer, tmp_path: Path
) -> None:
    server.repository("ada/shop")
    settings = settings_for(server, tmp_path)
    for name in ("shop", "other"):
        (settings.state_dir / "clones" / name).mkdir(parents=True)
        (settings.state_dir / "clones" / name / "lock").touch()
        (settings.projects_file.parent / f".scar-clone-{name}" / name).mkdir(parents=True)
    assert clone(server, settings, attempt=2).result is not None
    assert names_in_workspaces(settings) == ["shop"]


def test_files_of_a_running_clone_are_kept(server: GitServer, tmp_path: Path) -> None:
    server.repository("ada/shop")
    settings = settings_for(server, tmp_path)
    with project_lock(settings.state_dir / "clones" / "other", lambda: None):
        (settings.projects_file.parent / ".scar-clone-other").mkdir()
        assert clone(server, settings).result is not None
    assert names_in_workspaces(settings) == [".scar-clone-other", "shop"]


def test_a_clone_is_not_repeated_if_the_worker_is_killed_before_reporting(
    server: GitServer, tmp_path: Path
) -> None:
    server.repository("ada/shop")
    settings = settings_for(server, tmp_path)
    id = "01JABCDEFGHJKMNPQRSTVWXYZ0"
    first = clone(server, settings, id=id)
    assert clone(server, settings, id=id, attempt=2) == first
    with pytest.raises(ScarError):
        clone(server, settings, attempt=2)


def test_links_filters_and_submodules_of_a_cloned_repository_have_no_effect(
    server: GitServer, tmp_path: Path
) -> None:
    author = server.repository("ada/shop")
    other = server.repository("eve/inner")
    git(author, "submodule", "add", "-q", str(other), "sub")
    server.push(author, {"out": "-> /etc", "up": "-> ../../..", ".gitattributes": "* filter=x\n"})
    settings = settings_for(server, tmp_path)
    assert clone(server, settings).result is not None
    folder = settings.projects_file.parent / "shop"
    assert os.readlink(folder / "out") == "/etc"
    assert list((folder / "sub").iterdir()) == []


def test_files_belong_to_the_owner_of_the_workspace_folder(
    server: GitServer, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    server.repository("ada/shop")
    settings = settings_for(server, tmp_path)
    os.chown(settings.projects_file.parent, 1234, 2345)
    clone(server, settings)
    folder = settings.projects_file.parent / "shop"
    owners = {(p.lstat().st_uid, p.lstat().st_gid) for p in [folder, *folder.rglob("*")]}
    assert owners == {(1234, 2345)}
