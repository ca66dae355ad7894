"""The undo record: a write-ahead log entry of one change to production's files.

It is on disk before the first file is changed, and contains every path's state before and after the
change. Applying and reverting are the same algorithm in two directions: bring each path to one of
its two states, whatever its present state is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.files.attributes import attributes_of_file, read_attributes
from workers.files.compare import Changes
from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors
from workers.files.manifest import ALL_BITS, Entry, entries
from workers.files.tree import Tree, above

_HINT = (
    "It told what the last deploy changed. See to it that production is as it should be, remove "
    "the file, then deploy again."
)
Folder = tuple[int, int, int]
"""The mode, owner and group of a folder."""


@dataclass(frozen=True)
class Undo:
    """One change of production's files; the field names are the keys of the JSON on disk.

    `root` is the production folder; `job` is part of the names of temporary files. `made` are the
    folders that did not exist before, `folders` existing ones that may be removed, both outermost
    first. `handmade` are the replaced or removed paths whose content no release brought; a copy of
    each is kept permanently. `attributes` are the extended attributes (including POSIX ACLs), in
    base64, of the files in `before` and of `folders`.
    """

    job: str
    root: str
    before: dict[str, Entry | None]
    after: dict[str, Entry | None]
    made: tuple[str, ...]
    folders: dict[str, Folder]
    handmade: tuple[str, ...]
    attributes: dict[str, dict[str, str]]

    @classmethod
    def of(cls, job: str, root: str, changes: Changes) -> Undo:
        """Return the record for `changes`, before any of them is made."""
        coming = [path for path, entry in changes.after.items() if entry is not None]
        going = [path for path, entry in changes.after.items() if entry is None]
        filled = _all_above(coming)
        made = sorted(filled)
        folders: dict[str, Folder] = {}
        attributes: dict[str, dict[str, str]] = {}
        if os.path.isdir(root):
            with file_errors(root), Tree(root) as tree:
                made = [folder for folder in made if tree.find_folder(folder) is None]
                for path in sorted(_all_above(going) - filled - {""}):
                    folders.update(_folder(tree, path))
                for path in coming:
                    if changes.before[path] is None:
                        folders.update(_folders_below(tree, path))
                attributes = _attributes(tree, changes.before, folders)
        handmade = tuple(sorted({*changes.drift, *changes.kept}))
        return cls(
            job, root, changes.before, changes.after, tuple(made), folders, handmade, attributes
        )

    def save(self, path: Path) -> None:
        """Write the record to `path`, atomically and synced."""
        write_synced(path, json.dumps(vars(self), separators=(",", ":")))

    @classmethod
    def load(cls, path: Path) -> Undo | None:
        """Return the record at `path`, None if there is none; raise `sync_failed` if it is
        damaged.
        """
        return read_json(path, cls._from_json, _HINT) if path.exists() else None

    @classmethod
    def _from_json(cls, values: Any) -> Undo:
        return cls(
            values["job"],
            values["root"],
            entries(values["before"]),
            entries(values["after"]),
            tuple(values["made"]),
            {name: (mode, uid, gid) for name, (mode, uid, gid) in values["folders"].items()},
            tuple(values["handmade"]),
            values.get("attributes", {}),  # missing in records of earlier versions
        )


def _all_above(paths: list[str]) -> set[str]:
    folders: set[str] = set()
    for path in paths:
        for folder in above(path):
            if folder in folders:
                break
            folders.add(folder)
    return folders


def _folder(tree: Tree, path: str) -> dict[str, Folder]:
    """Return the folder at `path`, or nothing. A link to a folder is not a folder."""
    handle = tree.find_folder(path)
    if handle is None:
        return {}
    status = os.fstat(handle)
    return {path: (status.st_mode & ALL_BITS, status.st_uid, status.st_gid)}


def _folders_below(tree: Tree, path: str) -> dict[str, Folder]:
    """Return the folder at `path`, where a file will be, and all folders in it."""
    folders = _folder(tree, path)
    if folders:
        for name in os.listdir(tree.folder(path)):
            folders.update(_folders_below(tree, f"{path}/{name}"))
    return folders


def _attributes(
    tree: Tree, before: Mapping[str, Entry | None], folders: Iterable[str]
) -> dict[str, dict[str, str]]:
    """Return the extended attributes of the files of `before` and of `folders` that have any."""
    attributes = {
        path: attributes_of_file(tree, path, entry)
        for path, entry in before.items()
        if entry and entry.kind == "file"
    }
    attributes |= {path: read_attributes(tree.folder(path)) for path in folders}
    return {path: values for path, values in attributes.items() if values}
