"""A repository of SCAR's own that shares a workspace's objects and files, but not its
configuration.

Git runs in this shadow repository, so that the workspace's configuration, hooks, filters,
credential helpers and remotes are never used. Only data is shared: objects as an alternate object
directory, the index as a copy, and the list of excluded files by its path.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from scar.errors import ScarError
from scar.git_url import GitUrl
from workers.engine.process import RunControl
from workers.files.failures import file_errors
from workers.git.command import (
    FROM_FOLDER,
    SAFE_OPTIONS,
    UMASK,
    Credential,
    environment,
    query,
    run,
    transfer_failed,
)

STATUS = ("status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=all")
"""The arguments of `git status`, to be run with `fields`."""

# Settings that affect how files are written and compared, and that start no program.
_HARMLESS = re.compile(
    r"core\.(?:filemode|symlinks|ignorecase|autocrlf|eol|precomposeunicode) [a-z]{2,8}"
)
_SECONDS = 300.0
_TIP = "refs/heads/tip"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class ShadowRepository:
    """A Git directory at `folder`, created anew, whose work tree is `workspace`.

    Methods raise `ScarError`: `timeout` if Git takes longer than `seconds`, except for `fetch`.
    """

    def __init__(self, folder: Path, workspace: Path, *, seconds: float = _SECONDS) -> None:
        self.folder = folder
        self.workspace = workspace
        self._seconds = seconds
        exclude = self._own_path("info/exclude")
        self._options = [*_file_settings(workspace), "-c", f"core.excludesFile={exclude}"]
        with file_errors(str(folder)):
            shutil.rmtree(folder, ignore_errors=True)
            for name in ("objects/pack", "refs/heads"):
                (folder / name).mkdir(parents=True)
            (folder / "config").write_text("[core]\n\trepositoryformatversion = 0\n")
            (folder / "HEAD").write_text("ref: refs/heads/none\n")
            _copy(self._own_path("shallow"), folder / "shallow")

    @property
    def packs(self) -> list[Path]:
        """The packs that `fetch` has downloaded; each contains all objects its deltas refer to."""
        return sorted((self.folder / "objects" / "pack").glob("*.pack"))

    def set_head(self, commit: str | None) -> None:
        """Point HEAD at a commit of the workspace (None if there is none), and copy the
        workspace's index.
        """
        with file_errors(str(self.folder)):
            if commit is not None:
                (self.folder / "HEAD").write_text(f"{commit}\n")
                (self.folder / "refs" / "heads" / "here").write_text(f"{commit}\n")
            _copy(self._own_path("index"), self.folder / "index")

    def fetch(
        self,
        repository: GitUrl,
        credential: Credential | None,
        branch: str,
        control: RunControl,
    ) -> str:
        """Fetch the objects of a branch that the workspace lacks; return the branch's commit."""
        refspec = f"+refs/heads/{branch}:{_TIP}"
        words = ("fetch", "--no-tags", "--no-write-fetch-head", "--", repository.url, refspec)
        more = FROM_FOLDER if repository.scheme == "file" else {}
        env = environment(credential, {**self._locations(self.workspace), **more})
        result = run(words, self.folder, env, control)
        if result.code != 0:
            raise transfer_failed("Fetching failed", result, self.folder, repository)
        return self.text("rev-parse", _TIP)

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """Return whether `commit` equals or descends from `ancestor`."""
        return self._run("merge-base", "--is-ancestor", ancestor, commit).returncode == 0

    def has_commit(self, commit: str) -> bool:
        """Return whether the object of the commit exists."""
        return self._run("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0

    def refresh(self) -> None:
        """Update the stat fields of unchanged files in the index. Changed files are no error."""
        self._run("update-index", "-q", "--refresh")

    def remove(self) -> None:
        """Delete the shadow's folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def text(self, *words: str) -> str:
        """Return the output of a Git command; raise `sync_failed` if it fails."""
        return self._output(*words).decode("utf-8", "replace").strip()

    def fields(
        self, *words: str, stdin: Iterable[str] = (), work_tree: Path | None = None
    ) -> list[str]:
        """Return the NUL-terminated fields that a Git command prints with `-z`.

        `stdin` are paths that the command reads in the same format. Paths may contain any bytes,
        decoded by `os.fsdecode`. `work_tree` replaces the workspace as the work tree.
        """
        paths = os.fsencode("".join(f"{path}\0" for path in stdin))
        output = self._output(*words, stdin=paths, work_tree=work_tree)
        return os.fsdecode(output).split("\0")[:-1]

    def _output(self, *words: str, stdin: bytes = b"", work_tree: Path | None = None) -> bytes:
        result = self._run(*words, stdin=stdin, work_tree=work_tree)
        if result.returncode != 0:
            lines = result.stderr.decode("utf-8", "replace").splitlines()
            raise ScarError(
                "sync_failed",
                f"Git cannot work on {self.workspace} (`git {words[0]}`)",
                "The lines are Git's. `git status` there may say more.",
                lines=tuple(lines[-10:]),
            )
        return result.stdout

    def _run(
        self, *words: str, stdin: bytes = b"", work_tree: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        folder = work_tree or self.workspace
        try:
            return subprocess.run(
                ["git", *SAFE_OPTIONS, *self._options, *words],
                cwd=folder,
                env=environment(None, self._locations(folder)),
                input=stdin,
                capture_output=True,
                timeout=self._seconds,
                umask=UMASK,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise ScarError(
                "timeout",
                f"`git {words[0]}` took longer than {self._seconds:.0f} s in {self.workspace}",
                "See what the disk of the workspace is doing, then try again.",
            ) from late

    def _own_path(self, name: str) -> Path:
        """Return a path in the workspace's repository; in a linked work tree it may be outside
        the workspace.
        """
        if stat.S_ISDIR((self.workspace / ".git").lstat().st_mode):
            return self.workspace / ".git" / name
        path = query(self.workspace, "rev-parse", "--git-path", name)
        return self.workspace / (path or f".git/{name}")

    def _locations(self, work_tree: Path) -> dict[str, str]:
        objects = str(self._own_path("objects"))
        quoted = objects.replace("\\", "\\\\").replace('"', '\\"')
        return {
            "GIT_DIR": str(self.folder),
            "GIT_WORK_TREE": str(work_tree),
            "GIT_INDEX_FILE": str(self.folder / "index"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"',
        }


def _file_settings(workspace: Path) -> list[str]:
    """Return as options the workspace's settings that affect how files are written."""
    output = query(workspace, "config", "--get-regexp", r"^core\.") or ""
    settings = [line for line in output.splitlines() if _HARMLESS.fullmatch(line)]
    return [word for line in settings for word in ("-c", line.replace(" ", "=", 1))]


def _copy(source: Path, target: Path) -> None:
    """Copy a regular file with its time, if there is one; refuse a device or pipe, which might
    never end."""
    try:
        handle = os.open(source, _READ)
    except (FileNotFoundError, NotADirectoryError):
        return
    with os.fdopen(handle, "rb") as reader:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a file", str(source))
        with target.open("wb") as writer:
            shutil.copyfileobj(reader, writer)
        # Git reads files again whose time is that of the index ("racily clean").
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
