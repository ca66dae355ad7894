"""Scans a workspace into a manifest."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Sequence

from pathspec import GitIgnoreSpec

from scar.errors import ScarError
from workers.files.failures import changed_meanwhile, file_errors, shown, unfit
from workers.files.manifest import Entry, entry_of
from workers.files.stat_cache import StatCache, stamp_of
from workers.files.tree import Tree

_TRIES = 3
_DEEPEST = 200
_LINKS = 40
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CHUNK = 1 << 20
_SPECIAL = {
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def scan(root: str, exclude: Sequence[str], cache: StatCache) -> dict[str, Entry]:
    """Return the manifest of the tree at `root`; reads only files that changed since the cache was
    written.

    Excludes `.git`, `__pycache__`, `*.pyc`, and the gitignore patterns in `exclude`. Raises
    `sync_failed` for files that cannot be deployed: special files, links that leave the tree, files
    that cannot be read, and files that change while they are read.
    """
    with file_errors(root):
        tree = Tree(root)
    with tree:
        entries = _Scan(tree, exclude, cache).run()
    for path, entry in entries.items():
        if entry.kind == "link":
            _require_inside(entries, path, entry.digest)
    cache.keep_only(entries)
    return entries


class _Scan:
    def __init__(self, tree: Tree, exclude: Sequence[str], cache: StatCache) -> None:
        self._tree = tree
        self._exclude = GitIgnoreSpec.from_lines(exclude) if exclude else None
        self._cache = cache
        self._entries: dict[str, Entry] = {}

    def run(self) -> dict[str, Entry]:
        self._add_folder("")
        return self._entries

    def _add_folder(self, folder: str) -> None:
        if folder.count("/") >= _DEEPEST:
            raise unfit(folder, f"is nested more than {_DEEPEST} folders deep")
        prefix = f"{folder}/" if folder else ""
        folders: list[str] = []
        place = self._tree.absolute(folder)
        with file_errors(place), os.scandir(self._tree.folder(folder)) as listing:
            for item in listing:
                path = prefix + item.name
                if item.is_dir(follow_symlinks=False):
                    if not self._skips_folder(path, item.name):
                        folders.append(path)
                elif not self._skips_file(path, item.name):
                    self._entries[path] = self._entry(path, item)
        for path in folders:
            self._add_folder(path)

    def _skips_folder(self, path: str, name: str) -> bool:
        return name in (".git", "__pycache__") or self._is_excluded(path + "/")

    def _skips_file(self, path: str, name: str) -> bool:
        return name == ".git" or name.endswith(".pyc") or self._is_excluded(path)

    def _is_excluded(self, path: str) -> bool:
        return self._exclude is not None and self._exclude.match_file(path)

    def _entry(self, path: str, item: os.DirEntry[str]) -> Entry:
        try:
            status = item.stat(follow_symlinks=False)
        except OSError:
            return self._read(path)  # raises the error for what is at the path
        digest = self._cache.digest_of(path, status)
        return self._read(path) if digest is None else entry_of(status, digest)

    def _read(self, path: str) -> Entry:
        read_at = time.time_ns()
        with file_errors(self._tree.absolute(path)):
            folder, name = self._tree.split(path)
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFLNK:
                digest = os.readlink(name, dir_fd=folder)
            elif kind == stat.S_IFREG:
                status, digest, read_at = hashed(folder, name, path)
            else:
                kind_name = _SPECIAL.get(kind, "special file")
                raise unfit(path, f"is a {kind_name}, which is never deployed")
        self._cache.remember(path, status, digest, read_at)
        return entry_of(status, digest)


def excluded(paths: Iterable[str], exclude: Sequence[str]) -> set[str]:
    """Return those of `paths` that match the patterns in `exclude`."""
    spec = GitIgnoreSpec.from_lines(exclude)
    return set(spec.match_files(paths)) if exclude else set()


def hashed(handle: int, name: str, path: str) -> tuple[os.stat_result, str, int]:
    """Hash the file `name` in the open folder `handle`; try again if the file changes meanwhile.

    Returns its status, its SHA-256, and when reading began, in nanoseconds since the epoch. Raises
    `sync_failed` if the file changes during every attempt.
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


def _require_inside(entries: dict[str, Entry], path: str, target: str) -> None:
    """Raise `sync_failed` if a link's target is outside the tree, following links on the way to
    it.
    """
    at: list[str] = path.split("/")[:-1]
    names = _names(path, target)
    followed = 0
    while names:
        name = names.pop()
        if name == "..":
            if not at:
                raise _outward(path, target)
            at.pop()
            continue
        at.append(name)
        entry = entries.get("/".join(at))
        if entry is not None and entry.kind == "link":
            followed += 1
            if followed > _LINKS:
                return  # a cycle of links leads nowhere, as for the kernel
            at.pop()
            names += _names(path, entry.digest)


def _names(path: str, target: str) -> list[str]:
    """Return the components of a link's target in reverse order, the first one last."""
    if target.startswith("/"):
        raise _outward(path, target)
    return [name for name in reversed(target.split("/")) if name not in ("", ".")]


def _outward(path: str, target: str) -> ScarError:
    return unfit(path, f"is a symbolic link out of the workspace, to '{shown(target)[:100]}'")
