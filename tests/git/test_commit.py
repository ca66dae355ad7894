"""Reading a workspace's commit, also where its `.git` is hostile."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.support.git_server import git
from workers.git.commit import WorkspaceCommit, workspace_commit
from workers.git.subject import commit_subject


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a").write_text("one\n")
    (folder / ".gitignore").write_text("ignored\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


def commit_of(folder: Path) -> WorkspaceCommit:
    commit = workspace_commit(folder)
    assert commit.commit == git(folder, "rev-parse", "HEAD")
    return commit


def test_a_workspace_is_dirty_with_uncommitted_changes_but_not_with_ignored_files(
    workspace: Path,
) -> None:
    assert not commit_of(workspace).dirty
    (workspace / "ignored").touch()
    (workspace / ".git" / "info" / "exclude").write_text("mine\n")
    (workspace / "mine").touch()
    assert not commit_of(workspace).dirty
    (workspace / "new").touch()
    assert commit_of(workspace).dirty
    (workspace / "new").unlink()
    (workspace / "a").write_text("two\n")
    assert commit_of(workspace).dirty
    before = (workspace / ".git" / "index").read_bytes()
    commit_of(workspace)
    assert (workspace / ".git" / "index").read_bytes() == before


def test_linked_work_trees_and_repositories_without_a_commit_are_read_too(
    workspace: Path, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    git(workspace, "worktree", "add", "-q", str(linked))
    assert not commit_of(linked).dirty
    (linked / "a").write_text("two\n")
    assert commit_of(linked).dirty
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    assert workspace_commit(empty) == WorkspaceCommit(None, False)
    (empty / "a").touch()
    assert workspace_commit(empty) == WorkspaceCommit(None, True)


@pytest.mark.parametrize("name", ["x", "a=b", "x\x0by", "x y", "\x85", "é", "\udcff"])
@pytest.mark.parametrize("kind", ["clean", "process"])
def test_no_filter_of_the_repository_is_run(
    workspace: Path, tmp_path: Path, name: str, kind: str
) -> None:
    trap = tmp_path / "started"
    config = f'[filter "{name}"]\n\t{kind} = "touch {trap}; cat"\n\trequired = true\n'
    with (workspace / ".git" / "config").open("ab") as file:
        file.write(os.fsencode(config))
    (workspace / ".gitattributes").write_bytes(os.fsencode(f"* filter={name}\n"))
    os.utime(workspace / "a", (1, 1))
    assert commit_of(workspace).dirty
    assert not trap.exists()


def test_a_git_index_that_is_a_device_or_a_pipe_is_not_read(workspace: Path) -> None:
    index = workspace / ".git" / "index"
    index.unlink()
    index.symlink_to("/dev/zero")
    assert commit_of(workspace) == WorkspaceCommit(git(workspace, "rev-parse", "HEAD"), None)
    index.unlink()
    os.mkfifo(index)
    assert commit_of(workspace).dirty is None


def test_the_subject_is_the_first_line_of_the_message(workspace: Path) -> None:
    git(workspace, "commit", "-q", "--allow-empty", "-m", "Mend\tit\n\nWith a body.")
    assert commit_subject(workspace, git(workspace, "rev-parse", "HEAD")) == "Mend it"
    assert commit_subject(workspace, None) is None
    assert commit_subject(workspace, "0" * 40) is None
    assert commit_subject(workspace.parent, "0" * 40) is None


def test_the_subject_runs_nothing_of_the_workspaces_configuration(workspace: Path) -> None:
    ran = workspace.parent / "ran"
    for key in ("core.pager", "gpg.program", "core.fsmonitor", "pager.cat-file"):
        git(workspace, "config", key, f"touch {ran}; true")
    git(workspace, "config", "log.showSignature", "true")
    assert commit_subject(workspace, git(workspace, "rev-parse", "HEAD")) == "one"
    assert not ran.exists()


def test_a_git_folder_that_is_no_repository_has_no_commit(workspace: Path) -> None:
    """Neither the repository around it counts, nor one that is made of the workspace's files."""
    inner = workspace / "inner"
    (inner / ".git").mkdir(parents=True)
    assert workspace_commit(inner).commit is None
    git(inner.parent, "clone", "-q", "--bare", str(workspace), "bare")
    (workspace / "bare" / ".git").mkdir()
    assert workspace_commit(workspace / "bare").commit is None


def test_a_status_that_takes_too_long_is_unknown_and_not_clean(workspace: Path) -> None:
    assert workspace_commit(workspace, seconds=0.0).dirty is None


def test_a_change_in_the_second_of_the_index_is_seen(workspace: Path) -> None:
    """Git then looks at the content; it compares times in whole seconds."""
    index, file = workspace / ".git" / "index", workspace / "a"
    while True:
        file.write_text("one\n")
        git(workspace, "add", ".")
        file.write_text("two\n")
        if int(index.stat().st_mtime) == int(file.stat().st_mtime) == int(time.time()):
            break
    time.sleep(1.1)
    assert commit_of(workspace).dirty
