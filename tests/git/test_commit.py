"""What is said of a workspace's commit, however hostile its `.git` is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.git_server import git
from workers.git.commit import WorkspaceCommit, workspace_commit


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


def look(folder: Path) -> WorkspaceCommit:
    found = workspace_commit(folder)
    assert found.commit == git(folder, "rev-parse", "HEAD")
    return found


def test_tells_what_is_committed(workspace: Path) -> None:
    assert not look(workspace).dirty
    (workspace / "ignored").touch()
    (workspace / ".git" / "info" / "exclude").write_text("mine\n")
    (workspace / "mine").touch()
    assert not look(workspace).dirty
    (workspace / "new").touch()
    assert look(workspace).dirty
    (workspace / "new").unlink()
    (workspace / "a").write_text("two\n")
    assert look(workspace).dirty
    before = (workspace / ".git" / "index").read_bytes()
    look(workspace)
    assert (workspace / ".git" / "index").read_bytes() == before


def test_tells_it_of_a_linked_work_tree_and_before_the_first_commit(
    workspace: Path, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    git(workspace, "worktree", "add", "-q", str(linked))
    assert not look(linked).dirty
    (linked / "a").write_text("two\n")
    assert look(linked).dirty
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    assert workspace_commit(empty) == WorkspaceCommit(None, False)
    (empty / "a").touch()
    assert workspace_commit(empty) == WorkspaceCommit(None, True)


@pytest.mark.parametrize("name", ["x", "a=b", "x\x0by", "x y", "\x85", "é", "\udcff"])
@pytest.mark.parametrize("kind", ["clean", "process"])
def test_runs_no_filter_whatever_it_is_called(
    workspace: Path, tmp_path: Path, name: str, kind: str
) -> None:
    trap = tmp_path / "started"
    config = f'[filter "{name}"]\n\t{kind} = "touch {trap}; cat"\n\trequired = true\n'
    with (workspace / ".git" / "config").open("ab") as file:
        file.write(os.fsencode(config))
    (workspace / ".gitattributes").write_bytes(os.fsencode(f"* filter={name}\n"))
    os.utime(workspace / "a", (1, 1))
    assert look(workspace).dirty
    assert not trap.exists()


def test_reads_no_index_that_never_ends(workspace: Path) -> None:
    index = workspace / ".git" / "index"
    index.unlink()
    index.symlink_to("/dev/zero")
    assert look(workspace) == WorkspaceCommit(git(workspace, "rev-parse", "HEAD"), False)
    index.unlink()
    os.mkfifo(index)
    assert not look(workspace).dirty
