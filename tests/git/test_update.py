"""A push updates a workspace: forwards, over nothing of anybody's, and to the end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.git_scene import SECOND, TOKEN, GitScene
from tests.support.git_server import git
from tests.support.job_context import RecordedReport
from workers.git.commit import origin_of
from workers.git.dotgit import DotGit
from workers.state.workspace_lock import workspace_lock


def test_forwards_to_the_pushed_commit_and_no_further(scene: GitScene) -> None:
    second = scene.push()
    third = scene.push({"a": "three\n"})
    assert scene.update(second) == scene.first
    scene.is_at(second)
    assert (scene.workspace / "a").read_text() == "two\n"
    assert os.readlink(scene.workspace / "link") == "a"
    assert not (scene.workspace / "gone").exists()
    assert scene.update(second) is None
    assert scene.update(scene.first) is None
    assert scene.update(third) == second
    scene.is_at(third)
    assert git(scene.workspace, "rev-parse", "refs/remotes/origin/main") == third
    scene.push({"turns/now": "a folder\n", "sub/deep": None, "sub": "a file\n"})
    fourth = git(scene.author, "rev-parse", "HEAD")
    scene.update(fourth)
    scene.is_at(fourth)


def test_untracked_files_elsewhere_stay_and_modes_are_kept(scene: GitScene) -> None:
    (scene.workspace / "mine").write_text("mine")
    (scene.workspace / "a").chmod(0o664)
    (scene.author / "run").chmod(0o755)
    second = scene.push()
    scene.update(second)
    assert (scene.workspace / "mine").read_text() == "mine"
    assert (scene.workspace / "a").stat().st_mode & 0o777 == 0o664
    assert (scene.workspace / "run").stat().st_mode & 0o111
    assert git(scene.workspace, "status", "--porcelain") == "?? mine"


def test_a_dirty_workspace(scene: GitScene) -> None:
    (scene.workspace / "sub/deep").write_text("mine\n")
    scene.refused(scene.push(), "not committed.*sub/deep")


def test_a_staged_change(scene: GitScene) -> None:
    (scene.workspace / "staged").write_text("mine\n")
    git(scene.workspace, "add", "staged")
    scene.refused(scene.push(), "not committed.*staged")


def test_a_change_that_status_was_told_not_to_see(scene: GitScene) -> None:
    git(scene.workspace, "update-index", "--skip-worktree", "a")
    (scene.workspace / "a").write_text("mine\n")
    scene.refused(scene.push(), "marked as unchanged")


@pytest.mark.parametrize("place", ["new/b", "new", "link", ".env", "dir"])
def test_an_untracked_or_ignored_file_in_the_way(scene: GitScene, place: str) -> None:
    (scene.workspace / ".git/info/exclude").write_text(f"{place}\n")
    path = scene.workspace / ("dir/mine" if place == "dir" else place)
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine\n")
    scene.refused(scene.push({**SECOND, ".env": "theirs\n", "dir": "a file\n"}), "in the way")


def test_a_link_on_the_way_is_not_followed(scene: GitScene, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (scene.workspace / "new").symlink_to(tmp_path / "outside")
    scene.refused(scene.push(), "in the way")
    assert list((tmp_path / "outside").iterdir()) == []


def test_local_commits_and_a_rewritten_branch(scene: GitScene) -> None:
    git(scene.workspace, "commit", "-q", "--allow-empty", "-m", "mine")
    scene.first = scene.head()
    scene.refused(scene.push(), "rewritten, or the workspace has commits of its own")
    git(scene.workspace, "reset", "-q", "--hard", "HEAD~1")
    scene.first = scene.head()
    gone = git(scene.author, "rev-parse", "HEAD")
    git(scene.author, "reset", "-q", "--hard", "HEAD~1")
    scene.push({"a": "other\n"}, "--force")
    scene.refused(gone, "not on main of its origin")


def test_another_repository_branch_or_no_repository(scene: GitScene) -> None:
    second = scene.push()
    scene.refused(second, "its origin is", repository="github.com/eve/shop")
    scene.refused(second, "on main, not on other", branch="other")
    git(scene.workspace, "checkout", "-q", "--detach")
    scene.refused(second, "on no branch")
    git(scene.workspace, "checkout", "-q", "main")
    git(scene.workspace, "remote", "set-url", "origin", "git://srv/x/shop")
    scene.refused(second, "origin is nowhere")


def test_submodules_and_filters_are_not_for_scar(scene: GitScene) -> None:
    second = scene.push({"big": "x\n", ".gitattributes": "big filter=lfs\n"})
    scene.refused(second, "big need a filter")
    git(scene.author, "reset", "-q", "--hard", "HEAD~1")
    inner = scene.server.repository("eve/inner")
    git(scene.author, "submodule", "add", "-q", str(inner), "sub2")
    scene.refused(scene.push({}, "--force"), "submodules")


def test_a_hostile_configuration_starts_nothing(scene: GitScene, tmp_path: Path) -> None:
    mark = tmp_path / "evil"
    evil = tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {mark}\n")
    evil.chmod(0o755)
    scene.push({**SECOND, ".gitattributes": "* filter=x diff=x merge=x\n"})
    git(scene.author, "rm", "-q", ".gitattributes")
    second = scene.push({})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for key, value in {
        "core.fsmonitor": evil, "core.sshCommand": evil, "core.askPass": evil,
        "core.gitProxy": evil, "core.hooksPath": tmp_path, "core.worktree": elsewhere,
        "core.editor": evil, "core.pager": evil, "core.alternateRefsCommand": evil,
        "credential.helper": f"!{evil}", f"credential.{scene.server.url}.helper": f"!{evil}",
        "filter.x.clean": evil, "filter.x.smudge": evil, "filter.x.process": evil,
        "filter.x.required": "true", "diff.external": evil, "diff.x.textconv": evil,
        "remote.origin.uploadpack": evil, "remote.origin.vcs": "evil", "gpg.program": evil,
        "http.sslVerify": "false", "http.proxy": "http://127.0.0.1:1",
        "url.ext::evil.insteadOf": "https://", "protocol.allow": "always",
    }.items():  # fmt: skip
        git(scene.workspace, "config", key, str(value))
    hooks = scene.workspace / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for folder in (hooks, tmp_path):
        for hook in ("post-checkout", "post-merge", "reference-transaction", "pre-receive"):
            (folder / hook).write_text(evil.read_text())
            (folder / hook).chmod(0o755)
    scene.server.token = TOKEN
    object.__setattr__(scene.settings, "github_token", TOKEN)
    object.__setattr__(scene.settings, "github_api_url", scene.server.url)
    assert origin_of(scene.workspace) == scene.repository
    assert scene.update(second) == scene.first
    assert (scene.workspace / "a").read_text() == "two\n"
    assert not mark.exists()
    assert list(elsewhere.iterdir()) == []
    (scene.workspace / ".git" / "config").unlink()
    git(scene.workspace, "init", "-q", "--template=")
    scene.is_at(second)


def test_a_git_of_somebody_at_work(scene: GitScene, monkeypatch: pytest.MonkeyPatch) -> None:
    (scene.workspace / ".git/index.lock").write_text("")
    second = scene.push()
    monkeypatch.setattr("workers.git.dotgit._SECONDS", 0.3)
    with pytest.raises(ScarError, match="Another Git is at work"):
        scene.update(second)
    assert (scene.workspace / ".git/index.lock").exists()
    (scene.workspace / ".git/index.lock").unlink()
    scene.update(second)
    scene.is_at(second)


def test_a_workspace_that_came_from_a_folder_is_brought_forward_from_there(scene: GitScene) -> None:
    folder = scene.server.root / "ada/shop.git"
    git(scene.workspace, "remote", "set-url", "origin", str(folder))
    assert origin_of(scene.workspace) is None
    second = scene.push()
    scene.refused("1" * 40, "not on main of its origin")
    scene.update(second, repository="github.com/whoever/shop")
    scene.is_at(second)


def test_files_stay_their_owners(scene: GitScene) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    for path in [scene.workspace, *scene.workspace.rglob("*")]:
        os.chown(path, 1234, 2345, follow_symlinks=False)
    scene.update(scene.push())
    found = [scene.workspace, *scene.workspace.rglob("*")]
    assert {(p.lstat().st_uid, p.lstat().st_gid) for p in found} == {(1234, 2345)}


def test_what_somebody_changed_after_a_kill_is_kept(scene: GitScene) -> None:
    second = scene.push()
    child = os.fork()
    if child == 0:
        DotGit.replace_index = lambda *_: os._exit(9)  # type: ignore[method-assign]
        scene.update(second)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    (scene.workspace / "a").write_text("mine\n")
    with pytest.raises(ScarError, match="is not finished") as refusal:
        scene.settle()
    assert refusal.value.code == "conflict"
    assert (scene.workspace / "a").read_text() == "mine\n"
    (scene.workspace / "a").write_text("one\n")
    scene.settle()
    scene.is_at(second)


def test_who_works_there_is_not_killed_to_finish_an_update(scene: GitScene) -> None:
    """The deploy that finishes it does not hold the workspace; an agent that began since does."""
    second = scene.push()
    child = os.fork()
    if child == 0:
        DotGit.replace_index = lambda *_: os._exit(9)  # type: ignore[method-assign]
        scene.update(second)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    held, hold = os.pipe()
    agent = os.fork()
    if agent == 0:
        with workspace_lock(
            scene.settings.state_dir, scene.workspace, lambda: None, holder="agent"
        ):
            os.write(hold, b"1")
            time.sleep(60)
        os._exit(0)
    assert os.read(held, 1) == b"1"
    patience = time.monotonic() + 9.0

    def check() -> None:
        if time.monotonic() > patience:
            raise ScarError("cancelled", "Nobody let go", "")

    try:
        with pytest.raises(ScarError, match="Nobody let go"):
            scene.settle(RecordedReport(check))
        assert os.waitpid(agent, os.WNOHANG) == (0, 0)
    finally:
        os.kill(agent, signal.SIGKILL)
        os.waitpid(agent, 0)
        os.close(held)
        os.close(hold)
    scene.settle()
    scene.is_at(second)


@pytest.mark.parametrize(
    "name", ["logs", "logs/HEAD", "refs", "refs/heads", "refs/heads/main", "refs/remotes/origin"]
)
def test_no_branch_or_log_elsewhere_is_written(scene: GitScene, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    place = scene.workspace / ".git" / name
    place.rename(outside)
    place.symlink_to(outside)

    def content() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in (outside, *outside.rglob("*")) if p.is_file()}

    before = content()
    scene.refused(scene.push(), f".git/{name} has its repository elsewhere")
    assert content() == before
