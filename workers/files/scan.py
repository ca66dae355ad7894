"""Every file of a workspace."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Sequence
from functools import partial

from pathspec import GitIgnoreSpec

from workers.files.collector import collector_paused
from workers.files.failures import changed_meanwhile, file_errors, shown, unfit
from workers.files.freshness import stamp_of
from workers.files.manifest import Entry, entry_of
from workers.files.stat_cache import StatCache
from workers.files.tree import Tree

_TRIES = 3
_DEEPEST = 200
_LINKS = 40
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CHUNK = 1 << 20


@collector_paused()
def scan(root: str, exclude: Sequence[str], index: StatCache) -> dict[str, Entry]:
    """The manifest of the tree at `root`.

    Never in it: `.git`, `__pycache__`, `*.pyc`, and what `exclude` (gitignore patterns) names.
    Raises `sync_failed` for what cannot be deployed: special files, links that leave the tree,
    files that cannot be read or do not hold still.
    """
    found: dict[str, Entry] = {}
    with file_errors(root):
        tree = Tree(root)
    with tree:
        _look(tree, "", GitIgnoreSpec.from_lines(exclude) if exclude else None, index, found)
    for path, entry in found.items():
        if entry.kind == "link":
            _stays_inside(found, path, entry.digest)
    if len(index.known) > len(found):
        for path in index.known.keys() - found.keys():
            index.forget(path)
    return found


def _look(
    tree: Tree,
    folder: str,
    spec: GitIgnoreSpec | None,
    index: StatCache,
    found: dict[str, Entry],
) -> None:
    """Adds every path in the folder that is no folder; what changed since it was read, is read.

    This is where a deploy without a change spends its time: one `lstat` a file.
    """
    if folder.count("/") >= _DEEPEST:
        raise unfit(folder, f"is nested more than {_DEEPEST} folders deep")
    prefix = f"{folder}/" if folder else ""
    known, stamp, make = index.known, stamp_of, partial(tuple.__new__, Entry)
    folders: list[str] = []
    stale: list[str] = []
    with file_errors(tree.absolute(folder)), os.scandir(tree.folder(folder)) as listing:
        for item in listing:
            name = item.name
            path = prefix + name
            if item.is_dir(follow_symlinks=False):
                if name not in (".git", "__pycache__") and not _excluded(spec, path + "/"):
                    folders.append(path)
            elif not (name.endswith(".pyc") or name == ".git" or _excluded(spec, path)):
                row = known.get(path)
                try:
                    if row is None or row[0] != stamp(item.stat(follow_symlinks=False)):
                        stale.append(path)
                    else:
                        found[path] = make(row[1])
                except OSError:
                    stale.append(path)  # reading it says what is wrong
    for path in stale:
        found[path] = _read(tree, path, index)
    for path in folders:
        _look(tree, path, spec, index, found)


def excluded(paths: Iterable[str], exclude: Sequence[str]) -> set[str]:
    """Those of `paths` that `exclude` names."""
    spec = GitIgnoreSpec.from_lines(exclude)
    return set(spec.match_files(paths)) if exclude else set()


def _excluded(spec: GitIgnoreSpec | None, path: str) -> bool:
    return spec is not None and spec.match_file(path)


def _read(tree: Tree, path: str, index: StatCache) -> Entry:
    read_at = time.time_ns()
    with file_errors(tree.absolute(path)):
        folder, name = tree.split(path)
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFLNK:
            digest = os.readlink(name, dir_fd=folder)
        elif kind == stat.S_IFREG:
            status, digest, read_at = hashed(folder, name, path)
        else:
            raise unfit(path, f"is a {_special(kind)}, which is never deployed")
    entry = entry_of(status, digest)
    index.remember(path, status, entry, read_at)
    return entry


def hashed(handle: int, name: str, path: str) -> tuple[os.stat_result, str, int]:
    """The file `name` of the open folder `handle`, read while it held still.

    Returns its status, its SHA-256 and when the reading began, in nanoseconds since the epoch.
    """
    for _ in range(_TRIES):
        read_at = time.time_ns()
        with file_errors(path):
            file = os.open(name, _OPEN, dir_fd=handle)
            try:
                before = os.fstat(file)
                digest = hashlib.sha256()
                while chunk := os.read(file, _CHUNK):
                    digest.update(chunk)
                after = os.fstat(file)
            finally:
                os.close(file)
        if not stat.S_ISREG(before.st_mode):
            break
        if stamp_of(before) == stamp_of(after):
            return after, digest.hexdigest(), read_at
    raise changed_meanwhile(path)


def _special(kind: int) -> str:
    names = {
        stat.S_IFIFO: "named pipe",
        stat.S_IFSOCK: "socket",
        stat.S_IFCHR: "device",
        stat.S_IFBLK: "device",
    }
    return names.get(kind, "special file")


def _stays_inside(found: dict[str, Entry], path: str, target: str) -> None:
    """Walks to a link's target name by name, following the links of the tree on the way."""
    at: list[str] = path.split("/")[:-1]
    names = _names(path, target)
    followed = 0
    while names:
        name = names.pop()
        if name == "..":
            if not at:
                raise unfit(
                    path, f"is a symbolic link out of the workspace, to '{shown(target)[:100]}'"
                )
            at.pop()
            continue
        at.append(name)
        entry = found.get("/".join(at))
        if entry is not None and entry.kind == "link":
            followed += 1
            if followed > _LINKS:
                return  # a loop leads nowhere, as for the kernel
            at.pop()
            names += _names(path, entry.digest)


def _names(path: str, target: str) -> list[str]:
    """The names of a link's target, the first one last."""
    if target.startswith("/"):
        raise unfit(path, _outward(target))
    return [name for name in reversed(target.split("/")) if name not in ("", ".")]


def _outward(target: str) -> str:
    return f"is a symbolic link out of the workspace, to '{shown(target)[:100]}'"
