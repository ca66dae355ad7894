"""Scans a workspace into a manifest."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from workers.files.failures import changed_meanwhile, file_errors, unfit
from workers.files.manifest import Entry, entry_of
from workers.files.stat_cache import StatCache, stamp_of
from workers.files.tree import Tree

_TRIES = 3
_DEEPEST = 200
_LINKS = 40
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CHUNK = 1 << 20


@dataclass(frozen=True)
class WorkspaceScan:
    """The content of a workspace: `entries` are deployed, `special` paths (sockets, pipes, devices)
    never are. `outward` are the links among the entries that lead out of the workspace: they are
    copied as links, and nothing is read through them.
    """

    entries: dict[str, Entry]
    outward: tuple[str, ...]
    special: tuple[str, ...]


def scan(root: str, exclude: Sequence[str], cache: StatCache) -> WorkspaceScan:
    """Return the content of the tree at `root`; only changed files are read.

    `.git`, `__pycache__`, `*.pyc` and what the gitignore patterns in `exclude` match are left out.
    Raises `sync_failed` for files that cannot be read or keep changing.
    """
    with file_errors(root):
        tree = Tree(root)
    with tree:
        result = _Scan(tree, exclude, cache).run()
    cache.keep_only(result.entries)
    return result


class _Scan:
    def __init__(self, tree: Tree, exclude: Sequence[str], cache: StatCache) -> None:
        self._tree = tree
        self._exclude = GitIgnoreSpec.from_lines(exclude) if exclude else None
        self._cache = cache
        self._entries: dict[str, Entry] = {}
        self._special: list[str] = []

    def run(self) -> WorkspaceScan:
        self._add_folder("")
        entries = self._entries
        links = [path for path, entry in entries.items() if entry.kind == "link"]
        outward = sorted(path for path in links if leads_out(entries, path))
        return WorkspaceScan(entries, tuple(outward), tuple(sorted(self._special)))

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
                    self._add_file(path, item)
        for path in folders:
            self._add_folder(path)

    def _skips_folder(self, path: str, name: str) -> bool:
        return name in (".git", "__pycache__") or self._is_excluded(path + "/")

    def _skips_file(self, path: str, name: str) -> bool:
        return name == ".git" or name.endswith(".pyc") or self._is_excluded(path)

    def _is_excluded(self, path: str) -> bool:
        return self._exclude is not None and self._exclude.match_file(path)

    def _add_file(self, path: str, item: os.DirEntry[str]) -> None:
        try:
            status = item.stat(follow_symlinks=False)
            digest = self._cache.digest_of(path, status)
        except OSError:
            digest = None  # reading it raises the error
        entry = self._read(path) if digest is None else entry_of(status, digest)
        if entry is None:
            self._special.append(path)
        else:
            self._entries[path] = entry

    def _read(self, path: str) -> Entry | None:
        """Return the entry of a file or link; None for anything else."""
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
                return None
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


def leads_out(entries: Mapping[str, Entry], path: str) -> bool:
    """Return whether the link at `path` leads out of the tree.

    The target's path is followed component by component, through the links of the tree.
    """
    at: list[str] = path.split("/")[:-1]
    names = _names(entries[path].digest)
    followed = 0
    while names:
        name = names.pop()
        if name == "/" or (name == ".." and not at):
            return True
        if name == "..":
            at.pop()
            continue
        at.append(name)
        entry = entries.get("/".join(at))
        if entry is not None and entry.kind == "link":
            followed += 1
            if followed > _LINKS:
                return False  # a loop of links has no target
            at.pop()
            names += _names(entry.digest)
    return False


def _names(target: str) -> list[str]:
    """Return the names of a link's target, the first one last; `/` represents the root."""
    names = [name for name in reversed(target.split("/")) if name not in ("", ".")]
    return [*names, "/"] if target.startswith("/") else names
