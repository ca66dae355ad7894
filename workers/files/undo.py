"""The record of a change to production's files, from which it can be made or unmade.

It is on the disk before the first file is touched, and says for every path what stands there
before and what will stand there after. Making and unmaking are then the same thing in two
directions: bring each path to the one or the other, wherever it is now.
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
"""Mode, owner, group."""


@dataclass(frozen=True)
class Undo:
    """`root` is the production folder, `job` names the temporary files.

    `made` are the folders that were not there before, `folders` those that were and that may go,
    both outermost first. `handmade` are the paths that are replaced or removed although no release
    brought what they hold: a copy of each is kept for good. `attributes` are the extended ones
    (POSIX ACLs among them) of the files of `before` and of `folders` that have any, in base64.
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
        """The record for `changes`, made before any of them."""
        coming = [path for path, entry in changes.after.items() if entry is not None]
        going = [path for path, entry in changes.after.items() if entry is None]
        filled = _all_above(coming)
        with file_errors(root):
            made = sorted(folder for folder in filled if _folder(root, folder) is None)
            leaving = sorted(_all_above(going) - filled - {""})
            folders = {path: found for path in leaving if (found := _folder(root, path))}
            for path in coming:
                if changes.before[path] is None:
                    folders.update(_folders_below(root, path))
            held = [path for path, e in changes.before.items() if e and e.kind == "file"]
            asked = ((path, _attributes(f"{root}/{path}")) for path in (*held, *folders))
            attributes = {path: found for path, found in asked if found}
        handmade = tuple(sorted({*changes.drift, *changes.kept}))
        return cls(
            job, root, changes.before, changes.after, tuple(made), folders, handmade, attributes
        )

    def save(self, path: Path) -> None:
        """Writes the record, whole and synced."""
        write_synced(path, json.dumps(vars(self), separators=(",", ":")))

    @classmethod
    def load(cls, path: Path) -> Undo | None:
        """The record kept at `path`, if there is one."""
        return read_json(path, cls._made_of, _HINT) if path.exists() else None

    @classmethod
    def _made_of(cls, found: Any) -> Undo:
        return cls(
            found["job"],
            found["root"],
            entries(found["before"]),
            entries(found["after"]),
            tuple(found["made"]),
            {name: (mode, uid, gid) for name, (mode, uid, gid) in found["folders"].items()},
            tuple(found["handmade"]),
            found.get("attributes", {}),  # a deploy that an earlier version was cut off in
        )


def above(path: str) -> Iterator[str]:
    """The folders that a path is in, innermost first, the root (`""`) last."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _all_above(paths: list[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        for folder in above(path):
            if folder in found:
                break
            found.add(folder)
    return found


def _folder(root: str, path: str) -> Folder | None:
    try:
        found = os.lstat(f"{root}/{path}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISDIR(found.st_mode):
        return None
    return found.st_mode & ALL_BITS, found.st_uid, found.st_gid


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
    """Gives an open file or folder the extended attributes of the one that it replaces; those of
    `security` (labels, capabilities) only where they are its own. An ACL that it has from its
    folder goes. The mode has to be set after them: an ACL says it too.

    What this process may not set, or this filesystem does not know, was not set by it either.
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
    """The folder at `path`, where a file will be, and all in it."""
    here = _folder(root, path)
    if here is None:
        return {}
    found = {path: here}
    with os.scandir(f"{root}/{path}") as listing:
        for item in listing:
            found.update(_folders_below(root, f"{path}/{item.name}"))
    return found
