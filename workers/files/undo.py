"""The undo record: a write-ahead log entry of one change to production's files.

It is on disk before the first file is changed, and contains every path's state before and after the
change. Applying and reverting are the same algorithm in two directions: bring each path to one of
its two states, whatever its present state is.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.files.compare import Changes
from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors
from workers.files.manifest import ALL_BITS, Entry, entries

_ACLS = frozenset({"system.posix_acl_access", "system.posix_acl_default"})

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
        with file_errors(root):
            made = sorted(folder for folder in filled if _folder(root, folder) is None)
            leaving = sorted(_all_above(going) - filled - {""})
            folders = {path: folder for path in leaving if (folder := _folder(root, path))}
            for path in coming:
                if changes.before[path] is None:
                    folders.update(_folders_below(root, path))
            held = [path for path, e in changes.before.items() if e and e.kind == "file"]
            attributes = {
                path: values
                for path in (*held, *folders)
                if (values := _attributes(f"{root}/{path}"))
            }
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


def above(path: str) -> Iterator[str]:
    """Yield the parent folders of a path, innermost first, the root (`""`) last."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _all_above(paths: list[str]) -> set[str]:
    folders: set[str] = set()
    for path in paths:
        for folder in above(path):
            if folder in folders:
                break
            folders.add(folder)
    return folders


def _folder(root: str, path: str) -> Folder | None:
    if any(os.path.islink(f"{root}/{folder}") for folder in above(path)):
        return None  # what is behind a link is not at this path
    try:
        status = os.lstat(f"{root}/{path}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISDIR(status.st_mode):
        return None
    return status.st_mode & ALL_BITS, status.st_uid, status.st_gid


def _attributes(path: str) -> dict[str, str]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOENT):
            return {}
        raise
    values = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    return {name: base64.b64encode(value).decode() for name, value in values.items()}


def set_attributes(file: int, attributes: Mapping[str, str], *, security: bool) -> None:
    """Set the extended attributes of an open file or folder to those of the one that it replaces.

    Attributes in `security.` (labels, capabilities) are set only if `security` is True. An ACL
    inherited from the folder is removed. The mode must be set after this call, since an ACL changes
    it. Attributes that the process may not set, or that the filesystem does not support, are
    skipped.
    """
    try:
        inherited = _ACLS.intersection(os.listxattr(file)) - attributes.keys()
        for name in inherited:
            os.removexattr(file, name)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
    for name, value in attributes.items():
        if security or not name.startswith("security."):
            try:
                os.setxattr(file, name, base64.b64decode(value))
            except OSError as error:
                if error.errno not in (errno.ENOTSUP, errno.EPERM):
                    raise


def _folders_below(root: str, path: str) -> dict[str, Folder]:
    """Return the folder at `path`, which a file will replace, and all folders below it."""
    here = _folder(root, path)
    if here is None:
        return {}
    folders = {path: here}
    with os.scandir(f"{root}/{path}") as listing:
        for item in listing:
            folders.update(_folders_below(root, f"{path}/{item.name}"))
    return folders
