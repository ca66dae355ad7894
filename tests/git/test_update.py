"""A push fast-forwards a workspace, never over somebody's changes, and recovers from a kill."""

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


def test_the_workspace_moves_to_the_pushed_commit_and_no_further(scene: GitScene) -> None:
    second = scene.push()
    third = scene.push({"a": "three\n"})
    assert scene.update(second) == scene.first
    scene.assert_at(second)
    assert (scene.workspace / "a").read_text() == "two\n"
    assert os.readlink(scene.workspace / "link") == "a"
    assert not (scene.workspace / "gone").exists()
    assert scene.update(second) is None
    assert scene.update(scene.first) is None
    assert scene.update(third) == second
    scene.assert_at(third)
    assert git(scene.workspace, "rev-parse", "refs/remotes/origin/main") == third
    scene.push({"turns/now": "a folder\n", "sub/deep": None, "sub": "a file\n"})
    fourth = git(scene.author, "rev-parse", "HEAD")
    scene.update(fourth)
    scene.assert_at(fourth)


def test_untracked_files_and_file_modes_are_kept(scene: GitScene) -> None:
    (scene.workspace / "mine").write_text("mine")
    (scene.workspace / "a").chmod(0o664)
    (scene.author / "run").chmod(0o755)
    second = scene.push()
    scene.update(second)
    assert (scene.workspace / "mine").read_text() == "mine"
    assert (scene.workspace / "a").stat().st_mode & 0o777 == 0o664
    assert (scene.workspace / "run").stat().st_mode & 0o111
    assert git(scene.workspace, "status", "--porcelain") == "?? mine"


def test_an_uncommitted_change_stops_the_update(scene: GitScene) -> None:
    (scene.workspace / "sub/deep").write_text("mine\n")
    scene.assert_refused(scene.push(), "not committed.*sub/deep")


def test_a_staged_change_stops_the_update(scene: GitScene) -> None:
    (scene.workspace / "staged").write_text("mine\n")
    git(scene.workspace, "add", "staged")
    scene.assert_refused(scene.push(), "not committed.*staged")


def test_a_change_hidden_from_git_status_stops_the_update(scene: GitScene) -> None:
    git(scene.workspace, "update-index", "--skip-worktree", "a")
    (scene.workspace / "a").write_text("mine\n")
    scene.assert_refused(scene.push(), "marked as unchanged")


@pytest.mark.parametrize("place", ["new/b", "new", "link", ".env", "dir"])
def test_an_untracked_file_in_the_way_stops_the_update(scene: GitScene, place: str) -> None:
    (scene.workspace / ".git/info/exclude").write_text(f"{place}\n")
    path = scene.workspace / ("dir/mine" if place == "dir" else place)
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine\n")
    scene.assert_refused(
        scene.push({**SECOND, ".env": "theirs\n", "dir": "a file\n"}), "in the way"
    )


def test_nothing_is_written_through_a_symbolic_link(scene: GitScene, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (scene.workspace / "new").symlink_to(tmp_path / "outside")
    scene.assert_refused(scene.push(), "in the way")
    assert list((tmp_path / "outside").iterdir()) == []


def test_local_commits_or_a_rewritten_branch_stop_the_update(scene: GitScene) -> None:
    git(scene.workspace, "commit", "-q", "--allow-empty", "-m", "mine")
    scene.first = scene.head()
    scene.assert_refused(scene.push(), "rewritten, or the workspace has commits of its own")
    git(scene.workspace, "reset", "-q", "--hard", "HEAD~1")
    scene.first = scene.head()
    gone = git(scene.author, "rev-parse", "HEAD")
    git(scene.author, "reset", "-q", "--hard", "HEAD~1")
    scene.push({"a": "other\n"}, "--force")
    scene.assert_refused(gone, "not on main of its origin")


def test_another_repository_or_branch_stops_the_update(scene: GitScene) -> None:
    second = scene.push()
    scene.assert_refused(second, "its origin is", repository="github.com/eve/shop")
    scene.assert_refused(second, "on main, not on other", branch="other")
    git(scene.workspace, "checkout", "-q", "--detach")
    scene.assert_refused(second, "on no branch")
    git(scene.workspace, "checkout", "-q", "main")
    git(scene.workspace, "remote", "set-url", "origin", "git://srv/x/shop")
    scene.assert_refused(second, "origin is nowhere")


def test_submodules_and_filters_stop_the_update(scene: GitScene) -> None:
    second = scene.push({"big": "x\n", ".gitattributes": "big filter=lfs\n"})
    scene.assert_refused(second, "big need a filter")
    git(scene.author, "reset", "-q", "--hard", "HEAD~1")
    inner = scene.server.repository("eve/inner")
    git(scene.author, "submodule", "add", "-q", str(inner), "sub2")
    scene.assert_refused(scene.push({}, "--force"), "submodules")


def test_no_program_of_the_repositorys_configuration_is_run(
    scene: GitScene, tmp_path: Path
) -> None:
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
    scene.assert_at(second)


def test_the_update_waits_for_another_git_and_then_gives_up(
    scene: GitScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scene.workspace / ".git/index.lock").write_text("")
    second = scene.push()
    monkeypatch.setattr("workers.git.dotgit._LOCK_SECONDS", 0.3)
    with pytest.raises(ScarError, match="Another Git is at work"):
        scene.update(second)
    assert (scene.workspace / ".git/index.lock").exists()
    (scene.workspace / ".git/index.lock").unlink()
    scene.update(second)
    scene.assert_at(second)


def test_a_workspace_cloned_from_a_folder_is_updated_from_there(scene: GitScene) -> None:
    folder = scene.server.root / "ada/shop.git"
    git(scene.workspace, "remote", "set-url", "origin", str(folder))
    assert origin_of(scene.workspace) is None
    second = scene.push()
    scene.assert_refused("1" * 40, "not on main of its origin")
    scene.update(second, repository="github.com/eve/shop")
    scene.assert_at(second)


def test_an_update_keeps_the_owner_of_files(scene: GitScene) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    for path in [scene.workspace, *scene.workspace.rglob("*")]:
        os.chown(path, 1234, 2345, follow_symlinks=False)
    scene.update(scene.push())
    paths = [scene.workspace, *scene.workspace.rglob("*")]
    assert {(p.lstat().st_uid, p.lstat().st_gid) for p in paths} == {(1234, 2345)}


def test_a_file_changed_after_an_interrupted_update_is_kept(scene: GitScene) -> None:
    second = scene.push()
    child = os.fork()
    if child == 0:
        DotGit.replace_index = lambda *_: os._exit(9)  # type: ignore[method-assign]
        scene.update(second)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    (scene.workspace / "a").write_text("mine\n")
    with pytest.raises(ScarError, match="is not finished") as refusal:
        scene.resume()
    assert refusal.value.code == "conflict"
    assert (scene.workspace / "a").read_text() == "mine\n"
    (scene.workspace / "a").write_text("one\n")
    scene.resume()
    scene.assert_at(second)


def test_resuming_an_update_does_not_kill_the_workspaces_holder(scene: GitScene) -> None:
    """An agent began after the kill and holds the workspace; the deploy must wait for it."""
    second = scene.push()
    child = os.fork()
    if child == 0:
        DotGit.replace_index = lambda *_: os._exit(9)  # type: ignore[method-assign]
        scene.update(second)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    ready, signal_ready = os.pipe()
    agent = os.fork()
    if agent == 0:
        with workspace_lock(
            scene.settings.state_dir, scene.workspace, lambda: None, holder="agent"
        ):
            os.write(signal_ready, b"1")
            time.sleep(60)
        os._exit(0)
    assert os.read(ready, 1) == b"1"
    patience = time.monotonic() + 9.0

    def check() -> None:
        if time.monotonic() > patience:
            raise ScarError("cancelled", "Nobody let go", "")

    try:
        with pytest.raises(ScarError, match="Nobody let go"):
            scene.resume(RecordedReport(check))
        assert os.waitpid(agent, os.WNOHANG) == (0, 0)
    finally:
        os.kill(agent, signal.SIGKILL)
        os.waitpid(agent, 0)
        os.close(ready)
        os.close(signal_ready)
    scene.resume()
    scene.assert_at(second)


@pytest.mark.parametrize(
    "name", ["logs", "logs/HEAD", "refs", "refs/heads", "refs/heads/main", "refs/remotes/origin"]
)
def test_no_ref_or_log_outside_the_repository_is_written(
    scene: GitScene, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    place = scene.workspace / ".git" / name
    place.rename(outside)
    place.symlink_to(outside)

    def content() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in (outside, *outside.rglob("*")) if p.is_file()}

    before = content()
    scene.assert_refused(scene.push(), f".git/{name} has its repository elsewhere")
    assert content() == before
