"""A repository of SCAR's own beside a workspace's: its objects and files, none of its settings.

What Git does here cannot be steered by the workspace's `.git`: its configuration, hooks, filters,
helpers and remotes are not read. Only data is shared.
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
from workers.git.command import FROM_FOLDER, SAFE, Credential, ask, environment, failed, run

# What says how files are written and compared, and starts nothing.
_HARMLESS = re.compile(
    r"core\.(?:filemode|symlinks|ignorecase|autocrlf|eol|precomposeunicode) [a-z]{2,8}"
)
_SECONDS = 300.0
_TIP = "refs/heads/tip"
_EXCLUDE = "info/exclude"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Shadow:
    """`folder` is made anew; the workspace is one of Git's. Methods raise `ScarError`, `timeout`
    where a Git that fetches nothing takes longer than `seconds`."""

    def __init__(self, folder: Path, workspace: Path, *, seconds: float = _SECONDS) -> None:
        self.folder = folder
        self._seconds = seconds
        self.workspace = workspace
        self._options = [*_same_files(workspace), "-c", f"core.excludesFile={self._own(_EXCLUDE)}"]
        with file_errors(str(folder)):
            shutil.rmtree(folder, ignore_errors=True)
            for name in ("objects/pack", "refs/heads"):
                (folder / name).mkdir(parents=True)
            (folder / "config").write_text("[core]\n\trepositoryformatversion = 0\n")
            (folder / "HEAD").write_text("ref: refs/heads/none\n")
            _copy(self._own("shallow"), folder / "shallow")

    @property
    def packs(self) -> list[Path]:
        """What was fetched: packs that are whole in themselves."""
        return sorted((self.folder / "objects" / "pack").glob("*.pack"))

    def be_at(self, commit: str | None) -> None:
        """Has a commit of the workspace (None: none yet) checked out, as its own index says."""
        with file_errors(str(self.folder)):
            if commit is not None:
                (self.folder / "HEAD").write_text(f"{commit}\n")
                (self.folder / "refs" / "heads" / "here").write_text(f"{commit}\n")
            _copy(self._own("index"), self.folder / "index")

    def fetch(
        self,
        repository: GitUrl,
        credential: Credential | None,
        branch: str,
        control: RunControl,
    ) -> str:
        """Brings what the workspace lacks of a branch; the commit that the branch is at."""
        source = f"+refs/heads/{branch}:{_TIP}"
        words = ("fetch", "--no-tags", "--no-write-fetch-head", "--", repository.url, source)
        more = FROM_FOLDER if repository.scheme == "file" else {}
        env = environment(credential, {**self._places(self.workspace), **more})
        finished = run(words, self.folder, env, control)
        if finished.code != 0:
            raise failed("Fetching failed", finished, self.folder, repository)
        return self.text("rev-parse", _TIP)

    def follows(self, commit: str, earlier: str) -> bool:
        """Whether `earlier` is among the commits that `commit` is made of."""
        return self._run("merge-base", "--is-ancestor", earlier, commit).returncode == 0

    def holds(self, commit: str) -> bool:
        """Whether the commit is known."""
        return self._run("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0

    def refresh(self) -> None:
        """Has the index know the files that are as it says; that some are not is no failure."""
        self._run("update-index", "-q", "--refresh")

    def remove(self) -> None:
        """Leaves nothing behind."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def text(self, *words: str) -> str:
        """What Git prints."""
        return self._output(*words).decode("utf-8", "replace").strip()

    def parts(self, *words: str, given: Iterable[str] = (), files: Path | None = None) -> list[str]:
        """The parts of what Git prints with `-z`, given the paths it reads so; as names of files,
        whatever bytes they are made of. `files` is where it has its files instead."""
        stdin = os.fsencode("".join(f"{path}\0" for path in given))
        return os.fsdecode(self._output(*words, stdin=stdin, files=files)).split("\0")[:-1]

    def _output(self, *words: str, stdin: bytes = b"", files: Path | None = None) -> bytes:
        found = self._run(*words, stdin=stdin, files=files)
        if found.returncode != 0:
            said = found.stderr.decode("utf-8", "replace").splitlines()
            raise ScarError(
                "sync_failed",
                f"Git cannot work on {self.workspace} (`git {words[0]}`)",
                "The lines are Git's. `git status` there may say more.",
                lines=tuple(said[-10:]),
            )
        return found.stdout

    def _run(
        self, *words: str, stdin: bytes = b"", files: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        place = files or self.workspace
        try:
            return subprocess.run(
                ["git", *SAFE, *self._options, *words],
                cwd=place,
                env=environment(None, self._places(place)),
                input=stdin,
                capture_output=True,
                timeout=self._seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise ScarError(
                "timeout",
                f"`git {words[0]}` took longer than {self._seconds:.0f} s in {self.workspace}",
                "See what the disk of the workspace is doing, then try again.",
            ) from late

    def _own(self, name: str) -> Path:
        """Where something of the workspace's repository is; a linked work tree has it elsewhere."""
        if stat.S_ISDIR((self.workspace / ".git").lstat().st_mode):
            return self.workspace / ".git" / name
        found = ask(self.workspace, "rev-parse", "--git-path", name)
        return self.workspace / (found or f".git/{name}")

    def _places(self, files: Path) -> dict[str, str]:
        objects = str(self._own("objects"))
        quoted = objects.replace("\\", "\\\\").replace('"', '\\"')
        return {
            "GIT_DIR": str(self.folder),
            "GIT_WORK_TREE": str(files),
            "GIT_INDEX_FILE": str(self.folder / "index"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"',
        }


def _same_files(workspace: Path) -> list[str]:
    """The workspace's own settings of how files are written, as options."""
    found = ask(workspace, "config", "--get-regexp", r"^core\.") or ""
    lines = [line for line in found.splitlines() if _HARMLESS.fullmatch(line)]
    return [word for line in lines for word in ("-c", line.replace(" ", "=", 1))]


def _copy(source: Path, target: Path) -> None:
    """A file as it is, if there is one. A link or a device, which might never end, is none."""
    try:
        handle = os.open(source, _READ)
    except (FileNotFoundError, NotADirectoryError):
        return
    with os.fdopen(handle, "rb") as reader:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a file", str(source))
        with target.open("wb") as writer:
            shutil.copyfileobj(reader, writer)
