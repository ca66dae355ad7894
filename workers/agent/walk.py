"""Everything in a folder, never through a link, into a mount, or endlessly deep."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterator
from typing import NamedTuple

from workers.files.failures import file_errors
from workers.files.tree import Tree

DEEPEST = 200
"""Folders below so many others are not looked into: an agent can nest them without an end."""


class Item(NamedTuple):
    """What stands at a path below the root; `folder` is the open folder that it is in."""

    path: str
    folder: int
    status: os.stat_result

    @property
    def name(self) -> str:
        """Its name in its folder."""
        return self.path.rpartition("/")[2]

    @property
    def closed(self) -> bool:
        """Whether it is a folder whose content is not listed."""
        return stat.S_ISDIR(self.status.st_mode) and self.path.count("/") >= DEEPEST


def walk(tree: Tree, without: Container[str] = ()) -> Iterator[Item]:
    """Each thing below the root, a folder before what is in it; none of a name in `without`.

    What is gone by the time it is looked at is left out.
    """
    with file_errors(tree.root):
        device = os.fstat(tree.folder("")).st_dev
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        for item in _listed(tree, folder, without):
            if item.status.st_dev == device:
                if stat.S_ISDIR(item.status.st_mode) and not item.closed:
                    waiting.append(item.path)
                yield item


def _listed(tree: Tree, folder: str, without: Container[str]) -> list[Item]:
    found: list[Item] = []
    with file_errors(tree.absolute(folder)):
        try:
            handle = tree.folder(folder)
            names = os.listdir(handle)
        except (FileNotFoundError, NotADirectoryError):
            return []
        for name in sorted(names):
            if name not in without:
                try:
                    status = os.stat(name, dir_fd=handle, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                found.append(Item(f"{folder}/{name}" if folder else name, handle, status))
    return found
