"""A push fast-forwards a workspace, never over somebody's changes, and recovers from a kill."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from scar.errors import ScarError
from workers.git.commit import origin_of
from workers.git.dotgit import DotGit
from workers.state.workspace_lock import workspace_lock

from .contexts import RecordingReporter
from .server import git
from .site import SECOND, TOKEN, Site


def test_the_workspace_moves_to_the_pushed_commit_and_no_further(site: Site) -> None:
    second = site.push()
    third = site.push({"a": "three\n"})
    assert site.update(second) == site.first
    site.assert_at(second)
    assert (site.workspace / "a").read_text() == "two\n"
    assert os.readlink(site.workspace / "link") == "a"
    assert not (site.workspace / "gone").exists()
    assert site.update(second) is None
    assert site.update(site.first) is None
    assert site.update(third) == second
    site.assert_at(third)
    assert git(site.workspace, "rev-parse", "refs/remotes/origin/main") == third
    site.push({"turns/now": "a folder\n", "sub/deep": None, "sub": "a file\n"})
    fourth = git(site.author, "rev-parse", "HEAD")
    site.update(fourth)
    site.assert_at(fourth)


def test_untracked_files_and_file_modes_are_kept(site: Site) -> None:
    (site.workspace / "mine").write_text("mine")
    (site.workspace / "a").chmod(0o664)
    (site.author / "run").chmod(0o755)
    second = site.push()
    site.update(second)
    assert (site.workspace / "mine").read_text() == "mine"
    assert (site.workspace / "a").stat().st_mode & 0o777 == 0o664
    assert (site.workspace / "run").stat().st_mode & 0o111
    assert git(site.workspace, "status", "--porcelain") == "?? mine"


def test_an_uncommitted_change_stops_the_update(site: Site) -> None:
    (site.workspace / "sub/deep").write_text("mine\n")
    site.assert_refused(site.push(), "not committed.*sub/deep")


def test_a_staged_change_stops_the_update(site: Site) -> None:
    (site.workspace / "staged").write_text("mine\n")
    git(site.workspace, "add", "staged")
    site.assert_refused(site.push(), "not committed.*staged")


def test_a_change_hidden_from_git_status_stops_the_update(site: Site) -> None:
    git(site.workspace, "update-index", "--skip-worktree", "a")
    (site.workspace / "a").write_text("mine\n")
    site.assert_refused(site.push(), "marked as unchanged")


@pytest.mark.parametrize("place", ["new/b", "new", "link", ".env", "dir"])
def test_an_untracked_file_in_the_way_stops_the_update(site: Site, place: str) -> None:
    (site.workspace / ".git/info/exclude").write_text(f"{place}\n")
    path = site.workspace / ("dir/mine" if place == "dir" else place)
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine\n")
    site.assert_refused(site.push({**SECOND, ".env": "theirs\n", "dir": "a file\n"}), "in the way")


def test_nothing_is_written_through_a_symbolic_link(site: Site, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (site.workspace / "new").symlink_to(tmp_path / "outside")
    site.assert_refused(site.push(), "in the way")
    assert list((tmp_path / "outside").iterdir()) == []


def test_local_commits_or_a_rewritten_branch_stop_the_update(site: Site) -> None:
    git(site.workspace, "commit", "-q", "--allow-empty", "-m", "mine")
    site.first = site.head()
    site.assert_refused(site.push(), "rewritten, or the workspace has commits of its own")
    git(site.workspace, "reset", "-q", "--hard", "HEAD~1")
    site.first = site.head()
    gone = git(site.author, "rev-parse", "HEAD")
    git(site.author, "reset", "-q", "--hard", "HEAD~1")
    site.push({"a": "other\n"}, "--force")
    site.assert_refused(gone, "not on main of its origin")


def test_another_repository_or_branch_stops_the_update(site: Site) -> None:
    second = site.push()
    site.assert_refused(second, "its origin is", repository="github.com/eve/shop")
    site.assert_refused(second, "on main, not on other", branch="other")
    git(site.workspace, "checkout", "-q", "--detach")
    site.assert_refused(second, "on no branch")
    git(site.workspace, "checkout", "-q", "main")
    git(site.workspace, "remote", "set-url", "origin", "git://srv/x/shop")
    site.assert_refused(second, "origin is nowhere")


def test_submodules_and_filters_stop_the_update(site: Site) -> None:
    second = site.push({"big": "x\n", ".gitattributes": "big filter=lfs\n"})
    site.assert_refused(second, "big need a filter")
    git(site.author, "reset", "-q", "--hard", "HEAD~1")
    inner = site.server.repository("eve/inner")
    git(site.author, "submodule", "add", "-q", str(inner), "sub2")
    site.assert_refused(site.push({}, "--force"), "submodules")


def test_no_program_of_the_repositorys_configuration_is_run(site: Site, tmp_path: Path) -> None:
    mark = tmp_path / "evil"
    evil = tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {mark}\n")
    evil.chmod(0o755)
    site.push({**SECOND, ".gitattributes": "* filter=x diff=x merge=x\n"})
    git(site.author, "rm", "-q", ".gitattributes")
    second = site.push({})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for key, value in {
        "core.fsmonitor": evil, "core.sshCommand": evil, "core.askPass": evil,
        "core.gitProxy": evil, "core.hooksPath": tmp_path, "core.worktree": elsewhere,
        "core.editor": evil, "core.pager": evil, "core.alternateRefsCommand": evil,
        "credential.helper": f"!{evil}", f"credential.{site.server.url}.helper": f"!{evil}",
        "filter.x.clean": evil, "filter.x.smudge": evil, "filter.x.process": evil,
        "filter.x.required": "true", "diff.external": evil, "diff.x.textconv": evil,
        "remote.origin.uploadpack": evil, "remote.origin.vcs": "evil", "gpg.program": evil,
        "http.sslVerify": "false", "http.proxy": "http://127.0.0.1:1",
        "url.ext::evil.insteadOf": "https://", "protocol.allow": "always",
    }.items():  # fmt: skip
        git(site.workspace, "config", key, str(value))
    hooks = site.workspace / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for folder in (hooks, tmp_path):
        for hook in ("post-checkout", "post-merge", "reference-transaction", "pre-receive"):
            (folder / hook).write_text(evil.read_text())
            (folder / hook).chmod(0o755)
    site.server.token = TOKEN
    object.__setattr__(site.settings, "github_token", TOKEN)
    object.__setattr__(site.settings, "github_api_url", site.server.url)
    assert origin_of(site.workspace) == site.repository
    assert site.update(second) == site.first
    assert (site.workspace / "a").read_text() == "two\n"
    assert not mark.exists()
    assert list(elsewhere.iterdir()) == []
    (site.workspace / ".git" / "config").unlink()
    git(site.workspace, "init", "-q", "--template=")
    site.assert_at(second)


def test_the_update_waits_for_another_git_and_then_gives_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.workspace / ".git/index.lock").write_text("")
    second = site.push()
    monkeypatch.setattr("workers.git.dotgit._LOCK_SECONDS", 0.3)
    with pytest.raises(ScarError, match="Another Git is at work"):
        site.update(second)
    assert (site.workspace / ".git/index.lock").exists()
    (site.workspace / ".git/index.lock").unlink()
    site.update(second)
    site.assert_at(second)


def test_a_workspace_cloned_from_a_folder_is_updated_from_there(site: Site) -> None:
    folder = site.server.root / "ada/shop.git"
    git(site.workspace, "remote", "set-url", "origin", str(folder))
    assert origin_of(site.workspace) is None
    second = site.push()
    site.assert_refused("1" * 40, "not on main of its origin")
    site.update(second, repository="github.com/eve/shop")
    site.assert_at(second)


def test_files_keep_their_owner(site: Site) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    for path in [site.workspace, *site.workspace.rglob("*")]:
        os.chown(path, 1234, 2345, follow_symlinks=False)
    site.update(site.push())
    paths = [site.workspace, *site.workspace.rglob("*")]
    assert {(p.lstat().st_uid, p.lstat().st_gid) for p in paths} == {(1234, 2345)}


def test_a_change_made_after_a_kill_is_kept(site: Site) -> None:
    second = site.push()
    child = os.fork()
    if child == 0:
        DotGit.replace_index = lambda *_: os._exit(9)  # type: ignore[method-assign]
        site.update(second)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    (site.workspace / "a").write_text("mine\n")
    with pytest.raises(ScarError, match="is not finished") as refusal:
        site.resume()
    assert refusal.value.code == "conflict"
    assert (site.workspace / "a").read_text() == "mine\n"
    (site.workspace / "a").write_text("one\n")
    site.resume()
    site.assert_at(second)


def test_resuming_an_update_does_not_kill_the_workspaces_holder(site: Site) -> None:
    """An agent began after the kill and holds the workspace; the deploy must wait for it."""
    second = site.push()
    child = os.fork()
    if child == 0:
        DotGit.replace_index = lambda *_: os._exit(9)  # type: ignore[method-assign]
        site.update(second)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    ready, signal_ready = os.pipe()
    agent = os.fork()
    if agent == 0:
        with workspace_lock(site.settings.state_dir, site.workspace, lambda: None, holder="agent"):
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
            site.resume(RecordingReporter(check))
        assert os.waitpid(agent, os.WNOHANG) == (0, 0)
    finally:
        os.kill(agent, signal.SIGKILL)
        os.waitpid(agent, 0)
        os.close(ready)
        os.close(signal_ready)
    site.resume()
    site.assert_at(second)


@pytest.mark.parametrize(
    "name", ["logs", "logs/HEAD", "refs", "refs/heads", "refs/heads/main", "refs/remotes/origin"]
)
def test_no_ref_or_log_outside_the_repository_is_written(
    site: Site, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    place = site.workspace / ".git" / name
    place.rename(outside)
    place.symlink_to(outside)

    def content() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in (outside, *outside.rglob("*")) if p.is_file()}

    before = content()
    site.assert_refused(site.push(), f".git/{name} has its repository elsewhere")
    assert content() == before
