"""Takes snapshots of a workspace: its contents, and the record and stored files that can restore
them.

Of a `.git` a snapshot contains hooks and settings alone (`git_settings`). It contains no special
files such as pipes, files that change while they are read (such as a log that is written to),
sparse files over 1 GiB (created in an instant, they could take years to read), and folders nested
more than 200 deep: they are reported by name, and restoring does not touch them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from scar.errors import ScarError
from workers.agent.git_settings import is_in_snapshot
from workers.agent.walk import WalkEntry, walk
from workers.files.compare import Changes
from workers.files.content_store import ContentStore
from workers.files.failures import file_errors
from workers.files.manifest import ALL_BITS, Entry, entry_of
from workers.files.scan import hashed
from workers.files.staging import stage
from workers.files.stat_cache import StatCache
from workers.files.tree import Tree
from workers.files.undo import Folder, Undo

_NEVER_SPARSE = 1 << 30
"""Files up to this size in bytes are always read; a larger file only if at least half of it is
allocated on disk, so that it is not sparse.
"""


@dataclass(frozen=True)
class Contents:
    """The contents of a workspace; `folders` includes the workspace itself as `""`.

    `left_out` are the paths that a snapshot cannot contain, `special` those of them that are
    neither file, link nor folder.
    """

    files: dict[str, Entry]
    folders: dict[str, Folder]
    left_out: frozenset[str]
    special: frozenset[str]


def contents_of(root: Path, index: StatCache) -> Contents:
    """Return the contents of the folder `root`, empty if it does not exist; `index` is updated.

    Raises `sync_failed` if a folder cannot be listed.
    """
    if not root.is_dir():
        return Contents({}, {}, frozenset(), frozenset())
    with file_errors(str(root)):
        tree = Tree(str(root))
        status = os.stat(root)
    files: dict[str, Entry] = {}
    folders: dict[str, Folder] = {"": _folder(status)}
    left_out: set[str] = set()
    special: set[str] = set()
    with tree:
        for item in walk(tree, _is_taken):
            status = item.status
            if stat.S_ISDIR(status.st_mode):
                folders[item.path] = _folder(status)
                if item.is_too_deep:
                    left_out.add(item.path)
            elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                digest = index.digest_of(item.path, status)
                if digest is None:
                    entry = _read(item, tree, index)
                else:
                    entry = entry_of(status, digest, ALL_BITS)
                if entry is None:
                    left_out.add(item.path)
                else:
                    files[item.path] = entry
            else:
                special.add(item.path)
    index.keep_only(files)
    return Contents(files, folders, frozenset(left_out | special), frozenset(special))


def _is_taken(entry: WalkEntry) -> bool:
    return is_in_snapshot(entry.path, folder=stat.S_ISDIR(entry.status.st_mode))


def _folder(status: os.stat_result) -> Folder:
    return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid


def _read(item: WalkEntry, tree: Tree, index: StatCache) -> Entry | None:
    """Return the entry of a file or link; None if the file is sparse, changes while it is read,
    or was deleted.
    """
    # st_blocks counts 512-byte units, see stat(3type).
    if item.status.st_size > max(_NEVER_SPARSE, 2 * 512 * item.status.st_blocks):
        return None
    try:
        folder, name = tree.split(item.path)
        if stat.S_ISLNK(item.status.st_mode):
            return entry_of(item.status, os.readlink(name, dir_fd=folder), ALL_BITS)
        status, digest, read_at = hashed(folder, name, tree.absolute(item.path))
    except (OSError, ScarError):
        return None
    index.remember(item.path, status, digest, read_at)
    return entry_of(status, digest, ALL_BITS)


def take_snapshot(
    job: str, root: Path, contents: Contents, store: ContentStore, check: Callable[[], None]
) -> Undo:
    """Copy every file into the store, and return the undo record that restores all of them.

    The undo record carries the id `job`. Raises `disk_full` before anything is written if there is
    not enough space, `sync_failed` if a file has changed since `contents` was read, and the
    exceptions of `check`.
    """
    before: dict[str, Entry | None] = dict(contents.files)
    after: dict[str, Entry | None] = dict.fromkeys(contents.files)
    all_removed = Changes((), (), (), (), (), (), before, after)
    snapshot = replace(Undo.of(job, str(root), all_removed), folders=contents.folders)
    stage(str(root), str(root), snapshot, store, check)
    return snapshot
