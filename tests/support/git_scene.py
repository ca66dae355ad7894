"""A workspace cloned from a repository that others push to."""

from __future__ import annotations

from pathlib import Path

import pytest

from scar.errors import ScarError
from scar.projects import Project
from scar.settings import Settings
from tests.support.git_server import GitServer, git
from tests.support.job_context import RecordedReport, job_context, settings_in
from workers.git.update import PushedCommit, resume_update, update_workspace

TOKEN = "ghs_0123456789abcdefghijklmnop"
FIRST: dict[str, str] = {
    "a": "one\n",
    "run": "one\n",
    "sub/deep": "one\n",
    "gone": "one\n",
    "turns": "file\n",
}
SECOND: dict[str, str | None] = {
    "a": "two\n",
    "new/b": "two\n",
    "gone": None,
    "turns": None,
    "link": "-> a",
}


class GitScene:
    """A workspace cloned from a repository that others push to."""

    def __init__(self, server: GitServer, folder: Path) -> None:
        self.server = server
        self.author = server.repository("ada/shop", dict(FIRST))
        self.settings: Settings = settings_in(folder)
        self.workspace = folder / "ws" / "shop"
        git(folder, "clone", "-q", str(server.root / "ada/shop.git"), str(self.workspace))
        git(self.workspace, "remote", "set-url", "origin", f"{server.url}/ada/shop.git")
        self.first = self.head()
        self.repository = f"{server.place}/ada/shop"
        self.project = Project("shop", self.workspace, folder / "production", "shop")

    def head(self) -> str:
        return git(self.workspace, "rev-parse", "HEAD")

    def push(self, files: dict[str, str | None] | None = None, *options: str) -> str:
        return self.server.push(self.author, SECOND if files is None else files, *options)

    def update(self, commit: str, *, branch: str = "main", repository: str = "") -> str | None:
        push = PushedCommit(repository or self.repository, branch, commit)
        return update_workspace(
            job_context("deploy", {}, self.settings, project=self.project), push
        )

    def resume(self, told: RecordedReport | None = None) -> None:
        resume_update(job_context("deploy", {}, self.settings, project=self.project, told=told))

    def assert_at(self, commit: str) -> None:
        assert self.head() == commit
        assert git(self.workspace, "status", "--porcelain") == ""
        assert git(self.workspace, "symbolic-ref", "HEAD") == "refs/heads/main"
        git(self.workspace, "fsck", "--strict")
        assert not list(self.workspace.rglob("*scar*"))
        assert not list(self.workspace.rglob("*.lock"))

    def assert_refused(self, commit: str, reason: str, **more: str) -> None:
        """Assert that an update is refused for `reason` and changes nothing."""
        before = {p: p.read_bytes() for p in self.workspace.rglob("*") if p.is_file()}
        before = {p: content for p, content in before.items() if ".git" not in p.parts}
        with pytest.raises(ScarError, match=reason) as refusal:
            self.update(commit, **more)
        assert refusal.value.code == "conflict"
        assert self.head() == self.first
        for path, content in before.items():
            assert path.read_bytes() == content
        assert not list(self.workspace.rglob("*scar*"))
        assert not list(self.workspace.rglob("*.lock"))
