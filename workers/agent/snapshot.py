"""A workspace as it was before an agent came, and the way back to it.

`.git` is no part of it. Nor are special files, files that do not hold still (a log that is being
written) or are mostly holes (one made in an instant can take years to read), and what is nested
endlessly deep: they are named, and left as they are.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from scar.errors import ScarError
from workers.agent.walk import Item, walk
from workers.files.compare import Changes
from workers.files.content_store import ContentStore
from workers.files.failures import file_errors
from workers.files.manifest import ALL_BITS, Entry, entry_of
from workers.files.scan import hashed
from workers.files.staging import stage
from workers.files.stat_cache import StatCache
from workers.files.tree import Tree
from workers.files.undo import Folder, Undo, above

_NOT_KEPT = frozenset({".git"})
_BLOCK = 512
_SMALL = 1 << 30


@dataclass(frozen=True)
class Contents:
    """What a workspace holds. `folders` has the root as `""`. `left_out` are paths that are not
    kept, `special` those of them that are no file and no link."""

    files: dict[str, Entry]
    folders: dict[str, Folder]
    left_out: frozenset[str]
    special: frozenset[str]


def contents_of(root: Path, index: StatCache) -> Contents:
    """Everything that is kept of the folder; nothing where there is no such folder."""
    if not root.is_dir():
        return Contents({}, {}, frozenset(), frozenset())
    with file_errors(str(root)):
        tree = Tree(str(root))
        here = os.stat(root)
    files: dict[str, Entry] = {}
    folders: dict[str, Folder] = {"": (stat.S_IMODE(here.st_mode), here.st_uid, here.st_gid)}
    left_out: set[str] = set()
    special: set[str] = set()
    with tree:
        for item in walk(tree, _NOT_KEPT):
            status = item.status
            if stat.S_ISDIR(status.st_mode):
                mode = stat.S_IMODE(status.st_mode)
                folders[item.path] = (mode, status.st_uid, status.st_gid)
                if item.closed:
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


def _read(item: Item, tree: Tree, index: StatCache) -> Entry | None:
    """A file or link; None for one that changes while it is read, is hollow, or gone."""
    if item.status.st_size > max(_SMALL, 2 * _BLOCK * item.status.st_blocks):
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


def keep(
    job: str, root: Path, found: Contents, objects: ContentStore, check: Callable[[], None]
) -> Undo:
    """Takes all of it into the store; the record with which all of it could be brought back.

    Raises `disk_full` before anything is written where there is no room.
    """
    gone: dict[str, Entry | None] = dict.fromkeys(found.files)
    before: dict[str, Entry | None] = dict(found.files)
    all_gone = Changes((), (), (), (), (), (), before, gone)
    undo = replace(Undo.of(job, str(root), all_gone), folders=found.folders)
    stage(str(root), str(root), undo, objects, check)
    return undo


def changed_since(kept: Undo, left_out: frozenset[str], now: Contents) -> Undo:
    """The record that undoes what is different now; what was or is left out stays as it is."""
    unknown = left_out | (now.left_out - now.special)
    before: dict[str, Entry | None] = {}
    after: dict[str, Entry | None] = {}
    for path in sorted(kept.before.keys() | now.files.keys()):
        had, has = kept.before.get(path), now.files.get(path)
        if path not in unknown and not _same(had, has):
            before[path], after[path] = had, has
    made = tuple(sorted(now.folders.keys() - kept.folders.keys()))
    folders = {path: f for path, f in kept.folders.items() if now.folders.get(path) != f}
    attributes = {
        path: found for path, found in kept.attributes.items() if path in before or path in folders
    }
    return replace(
        kept, before=before, after=after, made=made, folders=folders, attributes=attributes
    )


def still_there(undo: Undo, now: Contents) -> tuple[Undo, list[str]]:
    """What of the change can be undone without touching what somebody did since, and the paths
    that somebody changed since."""
    back: list[str] = []
    theirs: list[str] = []
    for path, left in undo.after.items():
        found = now.files.get(path)
        if path in now.left_out or not (_same(found, left) or _same(found, undo.before[path])):
            theirs.append(path)
        elif not _same(found, undo.before[path]):
            back.append(path)
    return (
        replace(
            undo,
            before={path: undo.before[path] for path in back},
            after={path: undo.after[path] for path in back},
            made=tuple(path for path in undo.made if path in now.folders),
            folders={p: f for p, f in undo.folders.items() if now.folders.get(p) != f},
        ),
        theirs,
    )


def listing(undo: Undo, now: Contents) -> dict[str, list[str]]:
    """The paths `added`, `changed` and `removed`; of folders those alone that say something."""
    found: dict[str, list[str]] = {"added": [], "changed": [], "removed": []}
    for path, has in undo.after.items():
        had = undo.before[path]
        word = "added" if had is None else "changed" if has is not None else "removed"
        found[word].append(path)
    told = _above(undo.after)
    for path in undo.made:
        if path not in told | _above(undo.made):
            found["added"].append(f"{path}/")
    for path in undo.folders:
        if path in now.folders:
            found["changed"].append(f"{path}/")
        elif path not in told | _above(undo.folders):
            found["removed"].append(f"{path}/")
    return {word: sorted(paths) for word, paths in found.items()}


def _above(paths: Iterable[str]) -> set[str]:
    return {folder for path in paths for folder in above(path)}


def _same(one: Entry | None, other: Entry | None) -> bool:
    return one is other if one is None or other is None else one.same_content(other)
