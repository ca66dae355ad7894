"""The way of a workspace from one commit to the next, finished by whoever comes after a kill.

What comes is in the workspace's own objects and in a store before anything is touched, then it is
noted, then files, index and branch follow, each in one step that may be done twice. Files are put
in place as in a deploy: whole, never through a symbolic link, never over what somebody changed.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from scar.errors import ScarError
from workers.files.apply import apply, stage
from workers.files.compare import Changes, existing
from workers.files.content_store import ContentStore
from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors
from workers.files.manifest import Entry
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo, above
from workers.git.command import ask
from workers.git.dotgit import DotGit
from workers.git.shadow import Shadow

_LINK = "160000"
_NOTHING = "000000"
_HINT = "See to it that `git status` there is clean, remove that file, then deploy again."


@dataclass(frozen=True)
class Forward:
    """`state` is the folder for what is noted; `before` and `after` are commits of `branch`."""

    state: Path
    workspace: Path
    branch: str
    before: str
    after: str
    job: str

    @classmethod
    def cut_off(cls, state: Path) -> bool:
        """Whether an update was begun and not ended."""
        return (state / "note.json").exists()

    @classmethod
    def settle(cls, state: Path, workspace: Path) -> None:
        """Finishes what was cut off. `conflict` where somebody changed the same files since; where
        he has gone on with another commit, nothing is left to finish."""
        if cls.cut_off(state):
            note = read_json(state / "note.json", dict, _HINT)
            forward = cls(state=state, workspace=workspace, **note)
            at = ask(workspace, "rev-parse", "--verify", "-q", "HEAD")
            on = ask(workspace, "symbolic-ref", "-q", "HEAD")
            if on == forward._ref and at in (forward.before, forward.after):
                shadow = Shadow(state / "git", workspace)
                dotgit = DotGit(workspace)
                dotgit.require_plain(*forward._refs)
                for ref in forward._refs:
                    dotgit.drop_ref_locks(ref)
                with dotgit.index_locked(_go_on):
                    forward._finish(shadow)
        shutil.rmtree(state, ignore_errors=True)

    def go(self, shadow: Shadow, check: Callable[[], None]) -> None:
        """All of it. `shadow` is at `before`, with what was fetched; the workspace is clean."""
        dotgit = DotGit(self.workspace)
        dotgit.require_plain(*self._refs)
        with dotgit.index_locked(check):
            undo = self._prepare(shadow, check)
            for pack in shadow.packs:
                dotgit.add_pack(pack)
            check()
            undo.save(self.state / "undo.json")
            note = asdict(self)
            write_synced(
                self.state / "note.json",
                json.dumps({k: note[k] for k in ("branch", "before", "after", "job")}),
            )
            try:
                self._finish(shadow)
            except ScarError:
                if _untouched(undo):
                    (self.state / "note.json").unlink()
                raise
        shutil.rmtree(self.state, ignore_errors=True)

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self.branch}"

    @property
    def _refs(self) -> tuple[str, str]:
        """Both that are moved, the branch last."""
        return f"refs/remotes/origin/{self.branch}", self._ref

    def _prepare(self, shadow: Shadow, check: Callable[[], None]) -> Undo:
        """What will change, with the new contents in the store; nothing is touched."""
        coming, going, new = self._differences(shadow)
        _refuse(self._hidden(shadow) & {*coming, *going}, "are marked as unchanged in its index")
        _refuse(self._in_the_way(new, set(going)), "are in the way and not Git's")
        shadow.text("read-tree", "-i", "-m", self.before, self.after)
        parts = shadow.parts("check-attr", "-z", "--stdin", "--cached", "filter", given=coming)
        filtered = {p for p, v in zip(parts[::3], parts[2::3], strict=True) if v != "unspecified"}
        _refuse(filtered, "need a filter (Git LFS, say), which SCAR does not run")
        tree = self.state / "tree"
        with file_errors(str(tree)):
            shutil.rmtree(tree, ignore_errors=True)
            tree.mkdir()
        shadow.parts("checkout-index", "-z", "--stdin", given=coming, files=tree)
        changes = self._changes(tree, coming, going)
        undo = Undo.of(self.job, str(self.workspace), changes)
        stage(str(tree), undo.root, undo, self._objects, check)
        return undo

    def _differences(self, shadow: Shadow) -> tuple[list[str], list[str], list[str]]:
        """The paths that come or change, that go, and those of the first that are new."""
        words = ("diff-tree", "-r", "-z", "--no-renames", "--raw", self.before, self.after)
        parts = shadow.parts(*words)
        coming: list[str] = []
        going: list[str] = []
        new: list[str] = []
        submodules: set[str] = set()
        for about, path in zip(parts[::2], parts[1::2], strict=True):
            had, has = about[1:7], about[8:14]
            if _LINK in (had, has):
                submodules.add(path)
            (going if has == _NOTHING else coming).append(path)
            if had == _NOTHING:
                new.append(path)
        _refuse(submodules, "are submodules, which SCAR does not update")
        return coming, going, new

    def _hidden(self, shadow: Shadow) -> set[str]:
        """Paths whose changes `git status` was told not to see."""
        parts = shadow.parts("ls-files", "-v", "-z")
        return {part[2:] for part in parts if part[0].islower() or part[0] == "S"}

    def _in_the_way(self, new: list[str], going: set[str]) -> set[str]:
        """What stands, untracked, where a new file will be or on the way to it."""
        found: set[str] = set()
        for path in new:
            for place in (path, *(folder for folder in above(path) if folder)):
                try:
                    mode = os.lstat(self.workspace / place).st_mode
                except (FileNotFoundError, NotADirectoryError):
                    continue
                if not stat.S_ISDIR(mode):
                    found |= {place} - going
                elif place == path:
                    found |= set(self._files_in(path)) - going
        return found

    def _files_in(self, folder: str) -> list[str]:
        top = self.workspace / folder
        walked = os.walk(top)
        return [
            os.path.relpath(os.path.join(at, name), self.workspace)
            for at, folders, files in walked
            for name in (*files, *(n for n in folders if os.path.islink(os.path.join(at, n))))
        ]

    def _changes(self, tree: Path, coming: list[str], going: list[str]) -> Changes:
        before: dict[str, Entry | None] = {}
        after: dict[str, Entry | None] = {}
        for path in (*coming, *going):
            before[path] = existing(str(self.workspace), path, StatCache()).get(path)
            after[path] = existing(str(tree), path, StatCache()).get(path)
            _keep_mode(tree, path, before, after)
        added = tuple(path for path in coming if before[path] is None)
        changed = tuple(path for path in coming if before[path] is not None)
        return Changes(added, changed, tuple(going), (), (), (), before, after)

    @property
    def _objects(self) -> ContentStore:
        return ContentStore(self.state / "objects")

    def _finish(self, shadow: Shadow) -> None:
        """Files, index, branch; each finds out what is done already."""
        undo = Undo.load(self.state / "undo.json")
        assert undo is not None
        try:
            apply(undo, self._objects, StatCache(), _untold, _go_on)
        except ScarError as error:
            if error.code == "disk_full":
                raise
            raise ScarError(
                "conflict",
                f"An update of {self.workspace} to {self.after[:7]} is not finished: "
                f"{error.message}",
                f"Bring that file to what {self.before[:7]} or {self.after[:7]} has, then deploy.",
            ) from error
        shadow.be_at(self.before)
        shadow.text("read-tree", "-i", "-m", self.before, self.after)
        shadow.refresh()
        dotgit = DotGit(self.workspace)
        dotgit.replace_index(shadow.folder / "index")
        for ref in self._refs:
            self._move(ref)
        dotgit.give_to_owner()
        (self.state / "note.json").unlink()

    def _move(self, ref: str) -> None:
        words = ("update-ref", "-m", "scar: forward", ref, self.after)
        env = {"GIT_COMMITTER_NAME": "SCAR", "GIT_COMMITTER_EMAIL": "scar@localhost"}
        if ask(self.workspace, *words, env=env) is None:
            raise ScarError(
                "sync_failed",
                f"The branch {ref} of {self.workspace} cannot be moved to {self.after[:7]}",
                "See whether `git update-ref` there can; the next deploy tries again.",
            )


def _keep_mode(
    tree: Path,
    path: str,
    before: dict[str, Entry | None],
    after: dict[str, Entry | None],
) -> None:
    """A changed file keeps who may read and write it: Git knows no more than the x bit."""
    had, has = before[path], after[path]
    if had is None or has is None or "link" in (had.kind, has.kind):
        return
    mode = had.mode & 0o666
    if has.mode & 0o100:
        mode |= mode >> 2 & 0o111
    os.chmod(tree / path, mode)
    after[path] = has._replace(mode=mode)


def _refuse(paths: set[str], why: str) -> None:
    if paths:
        named = ", ".join(sorted(paths)[:5]) + (", …" if len(paths) > 5 else "")
        raise ScarError(
            "conflict",
            f"The workspace was left as it is: {named} {why}",
            "Update the workspace yourself, then deploy.",
        )


def _untouched(undo: Undo) -> bool:
    """Whether every path is as it was before."""
    for path, entry in undo.before.items():
        found = existing(undo.root, path, StatCache()).get(path)
        if found is not entry and (entry is None or not entry.same_content(found)):
            return False
    return True


def _go_on() -> None:
    """What was begun is finished, whoever calls it off."""


def _untold(_done: int, _total: int) -> None:
    """For what shows no progress of its own."""
