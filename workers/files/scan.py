"""Every file of a workspace."""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from workers.files.failures import changed_meanwhile, file_errors, unfit
from workers.files.index import StatIndex, stamp_of
from workers.files.manifest import Entry, entry_of

_TRIES = 3
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CHUNK = 1 << 20


@dataclass
class _Walk:
    root: str
    spec: GitIgnoreSpec | None
    index: StatIndex
    found: dict[str, Entry]


def scan(root: str, exclude: Sequence[str], index: StatIndex) -> dict[str, Entry]:
    """The manifest of the tree at `root`.

    Never in it: `.git`, `__pycache__`, `*.pyc`, and what `exclude` (gitignore patterns) names.
    Raises `sync_failed` for what cannot be deployed: special files, links that leave the tree,
    files that cannot be read or do not hold still.
    """
    spec = GitIgnoreSpec.from_lines(exclude) if exclude else None
    walk = _Walk(root, spec, index, {})
    with file_errors(root):
        handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _folder(walk, handle, "")
    finally:
        os.close(handle)
    for path, entry in walk.found.items():
        if entry.kind == "link":
            _stays_inside(walk.found, path, entry.digest)
    for path in index.known.keys() - walk.found.keys():
        del index.known[path]
        index.changed = True
    return walk.found


def _folder(walk: _Walk, handle: int, prefix: str) -> None:
    folders: list[str] = []
    known, found = walk.index.known, walk.found
    with file_errors(prefix or walk.root), os.scandir(handle) as listing:
        for item in listing:
            name = item.name
            if name == ".git":
                continue
            path = prefix + name
            status = item.stat(follow_symlinks=False)
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFDIR:
                if name != "__pycache__" and not _excluded(walk.spec, path + "/"):
                    folders.append(name)
                continue
            if name.endswith(".pyc") or _excluded(walk.spec, path):
                continue
            cached = known.get(path)
            if cached is not None and cached[0] == stamp_of(status):
                found[path] = cached[1]
            else:
                found[path] = _read(walk, handle, name, path, kind)
    for name in folders:
        path = prefix + name
        with file_errors(path):
            inner = os.open(name, _OPEN | os.O_DIRECTORY, dir_fd=handle)
        try:
            _folder(walk, inner, path + "/")
        finally:
            os.close(inner)


def _excluded(spec: GitIgnoreSpec | None, path: str) -> bool:
    return spec is not None and spec.match_file(path)


def _read(walk: _Walk, handle: int, name: str, path: str, kind: int) -> Entry:
    if kind == stat.S_IFLNK:
        with file_errors(path):
            status = os.stat(name, dir_fd=handle, follow_symlinks=False)
            entry = entry_of(status, os.readlink(name, dir_fd=handle))
    elif kind == stat.S_IFREG:
        status, entry = hashed(handle, name, path)
    else:
        raise unfit(path, f"is a {_special(kind)}, which is never deployed")
    walk.index.remember(path, status, entry)
    return entry


def hashed(handle: int, name: str, path: str) -> tuple[os.stat_result, Entry]:
    """The file `name` of the open folder `handle`, read while it held still."""
    for _ in range(_TRIES):
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
            return after, entry_of(after, digest.hexdigest())
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
    """Follows a link, and the links it leads over, as long as they are of the tree."""
    at, seen = path, {path}
    while True:
        if posixpath.isabs(target):
            raise unfit(path, f"is a symbolic link out of the workspace, to '{target[:100]}'")
        at = posixpath.normpath(posixpath.join(posixpath.dirname(at), target))
        if at == ".." or at.startswith("../"):
            raise unfit(path, "is a symbolic link out of the workspace")
        over = next((link for link in _prefixes(at) if link in found), None)
        entry = found.get(over) if over else None
        if entry is None or entry.kind != "link":
            return
        if over in seen:
            return  # a loop leads nowhere, and stays inside
        seen.add(str(over))
        rest = at[len(str(over)) :].lstrip("/")
        target = posixpath.join(entry.digest, rest) if rest else entry.digest
        at = str(over)


def _prefixes(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]
