"""Walks a tree of files that an agent may have created: limited in depth, and without following
links.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from workers.files.failures import file_errors
from workers.files.tree import Tree

DEEPEST = 200
"""Folders at this depth are not listed: an agent can nest folders without limit."""


class WalkEntry(NamedTuple):
    """A path relative to the root of the walk, and its `lstat` result."""

    path: str
    status: os.stat_result

    @property
    def is_too_deep(self) -> bool:
        """Whether the path is a folder so deep that its content is not listed."""
        return stat.S_ISDIR(self.status.st_mode) and self.path.count("/") >= DEEPEST


def walk(
    tree: Tree, takes: Callable[[WalkEntry], bool] = lambda _entry: True
) -> Iterator[WalkEntry]:
    """Yield every path below the root, each folder before its content.

    Omitted are paths that `takes` refuses, with what is below them, targets of symbolic links,
    mounted filesystems, and files deleted during the walk. Raises `sync_failed` if a folder cannot
    be listed.
    """
    with file_errors(tree.root):
        device = os.fstat(tree.folder("")).st_dev
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        for entry in _list(tree, folder):
            if entry.status.st_dev == device and takes(entry):
                if stat.S_ISDIR(entry.status.st_mode) and not entry.is_too_deep:
                    waiting.append(entry.path)
                yield entry


def _list(tree: Tree, folder: str) -> list[WalkEntry]:
    entries: list[WalkEntry] = []
    with file_errors(tree.absolute(folder)):
        try:
            handle = tree.folder(folder)
            names = os.listdir(handle)
        except (FileNotFoundError, NotADirectoryError):
            return []
        for name in sorted(names):
            try:
                status = os.stat(name, dir_fd=handle, follow_symlinks=False)
            except FileNotFoundError:
                continue
            entries.append(WalkEntry(f"{folder}/{name}" if folder else name, status))
    return entries
