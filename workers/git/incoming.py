"""Computes what a fast-forward would change in a workspace, without changing it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from scar.errors import ScarError
from workers.files.compare import Changes, existing
from workers.files.failures import file_errors
from workers.files.manifest import Entry
from workers.files.stat_cache import StatCache
from workers.files.tree import above
from workers.git.shadow import ShadowRepository

_SUBMODULE = "160000"
_ABSENT = "000000"


@dataclass(frozen=True)
class PathDifferences:
    """The paths that differ between two commits; `added` paths are also in `written`."""

    written: Sequence[str]
    added: Sequence[str]
    removed: Sequence[str]


@dataclass(frozen=True)
class IncomingChanges:
    """The changes from commit `before`, which `shadow` and its clean workspace have checked out,
    to `after`.
    """

    shadow: ShadowRepository
    before: str
    after: str

    def check_out(self, tree: Path) -> Changes:
        """Write the new files to the folder `tree`, and return the changes to the workspace.

        Raises `conflict` if SCAR cannot, or must not, do what Git would do: an untracked file in
        the way, a file whose changes `git status` ignores, a submodule, a filter.
        """
        shadow = self.shadow
        paths = self._differences()
        differing = {*paths.written, *paths.removed}
        _refuse(self._hidden() & differing, "are marked as unchanged in its index")
        _refuse(self._in_the_way(paths), "are in the way and not Git's")
        shadow.text("read-tree", "-i", "-m", self.before, self.after)
        attributes = ("check-attr", "-z", "--stdin", "--cached", "filter")
        fields = shadow.fields(*attributes, stdin=paths.written)
        filters = zip(fields[::3], fields[2::3], strict=True)
        filtered = {path for path, value in filters if value != "unspecified"}
        _refuse(filtered, "need a filter (Git LFS, say), which SCAR does not run")
        with file_errors(str(tree)):
            shutil.rmtree(tree, ignore_errors=True)
            tree.mkdir()
        shadow.fields("checkout-index", "-z", "--stdin", stdin=paths.written, work_tree=tree)
        return self._changes(tree, paths)

    def _differences(self) -> PathDifferences:
        words = ("diff-tree", "-r", "-z", "--no-renames", "--raw", self.before, self.after)
        fields = self.shadow.fields(*words)
        written: list[str] = []
        added: list[str] = []
        removed: list[str] = []
        submodules: set[str] = set()
        # `:100644 100644 bcd1234 0123456 M`, then the path: git-diff-tree(1), "Raw output format".
        for row, path in zip(fields[::2], fields[1::2], strict=True):
            old_mode, new_mode = row[1:7], row[8:14]
            if _SUBMODULE in (old_mode, new_mode):
                submodules.add(path)
            (removed if new_mode == _ABSENT else written).append(path)
            if old_mode == _ABSENT:
                added.append(path)
        _refuse(submodules, "are submodules, which SCAR does not update")
        return PathDifferences(written, added, removed)

    def _hidden(self) -> set[str]:
        """Return the paths that are marked assume-unchanged or skip-worktree."""
        fields = self.shadow.fields("ls-files", "-v", "-z")
        return {field[2:] for field in fields if field[0].islower() or field[0] == "S"}

    def _in_the_way(self, paths: PathDifferences) -> set[str]:
        """Return untracked files at a new file's path, below it, or in place of one of its
        folders.
        """
        blocking: set[str] = set()
        for path in paths.added:
            for place in (path, *(folder for folder in above(path) if folder)):
                try:
                    mode = os.lstat(self.shadow.workspace / place).st_mode
                except (FileNotFoundError, NotADirectoryError):
                    continue
                if not stat.S_ISDIR(mode):
                    blocking.add(place)
                elif place == path:
                    blocking.update(self._files_in(path))
        return blocking - set(paths.removed)

    def _files_in(self, folder: str) -> list[str]:
        workspace = self.shadow.workspace
        return [
            os.path.relpath(os.path.join(root, name), workspace)
            for root, folders, files in os.walk(workspace / folder)
            for name in (*files, *(n for n in folders if os.path.islink(os.path.join(root, n))))
        ]

    def _changes(self, tree: Path, paths: PathDifferences) -> Changes:
        before: dict[str, Entry | None] = {}
        after: dict[str, Entry | None] = {}
        for path in (*paths.written, *paths.removed):
            old = existing(str(self.shadow.workspace), path, StatCache()).get(path)
            new = existing(str(tree), path, StatCache()).get(path)
            before[path], after[path] = old, _with_permissions_of(old, new, tree / path)
        added = tuple(path for path in paths.written if before[path] is None)
        changed = tuple(path for path in paths.written if before[path] is not None)
        return Changes(added, changed, tuple(paths.removed), (), (), (), before, after)


def _with_permissions_of(old: Entry | None, new: Entry | None, file: Path) -> Entry | None:
    """Return the new entry with the old one's read and write permissions, since Git stores only
    the executable bit.
    """
    if old is None or new is None or "link" in (old.kind, new.kind):
        return new
    mode = old.mode & 0o666
    if new.mode & 0o100:
        mode |= mode >> 2 & 0o111
    os.chmod(file, mode)
    return new._replace(mode=mode)


def _refuse(paths: Collection[str], why: str) -> None:
    if paths:
        listing = ", ".join(sorted(paths)[:5]) + (", …" if len(paths) > 5 else "")
        raise ScarError(
            "conflict",
            f"The workspace was left as it is: {listing} {why}",
            "Update the workspace yourself, then deploy.",
        )
