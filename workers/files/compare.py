"""What a deploy would change: workspace, production and last release side by side.

A three-way comparison: the last release is the base, production is ours, the workspace theirs.
Production is looked at only where the workspace or the last release has something, so folders
that containers fill are never walked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from workers.files.failures import file_errors, sync_failed
from workers.files.index import StatIndex, stamp_of
from workers.files.manifest import Entry, Manifest, entry_of
from workers.files.scan import hashed


@dataclass(frozen=True)
class Changes:
    """What differs, as sorted paths.

    `drift`: production differs from the last release though no deploy did it. `kept`: files that
    no release brought and that would be replaced (a copy is kept). `left_alone`: environment files
    of production that no release brought; they stay. `before` and `after` hold, for each path that
    would be touched, what is there and what will be; None is "nothing".
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    drift: tuple[str, ...]
    kept: tuple[str, ...]
    left_alone: tuple[str, ...]
    before: dict[str, Entry | None] = field(repr=False)
    after: dict[str, Entry | None] = field(repr=False)

    @property
    def none(self) -> bool:
        """Whether production has all of the workspace already."""
        return not self.after


def compare(
    workspace: Manifest, production: str, last: Manifest | None, index: StatIndex
) -> Changes:
    """The changes that would make `production` hold `workspace`. `index` is production's own."""
    look = _Production(production, index)
    base: Manifest = last or {}
    added: list[str] = []
    changed: list[str] = []
    removed: list[str] = []
    drift: list[str] = []
    kept: list[str] = []
    left: list[str] = []
    before: dict[str, Entry | None] = {}
    after: dict[str, Entry | None] = {}
    find = look.finder()
    for path, wanted in workspace.items():
        there = find(path)
        if there is not None and there == wanted:
            continue
        if wanted.same_content(there):
            continue
        brought = base.get(path)
        if there is not None and brought is None and path.rpartition("/")[2] == ".env":
            left.append(path)
            continue
        if brought is not None and not brought.same_content(there):
            drift.append(path)
        elif brought is None and there is not None:
            kept.append(path)
        (added if there is None else changed).append(path)
        before[path], after[path] = there, wanted
    for path in base.keys() - workspace.keys():
        there = find(path)
        if there is None:
            continue
        if not base[path].same_content(there):
            drift.append(path)
        removed.append(path)
        before[path], after[path] = there, None
    look.refuse_foreign_folders(after)
    return Changes(
        tuple(sorted(added)),
        tuple(sorted(changed)),
        tuple(sorted(removed)),
        tuple(sorted(drift)),
        tuple(sorted(kept)),
        tuple(sorted(left)),
        before,
        after,
    )


class _Production:
    """Reads single paths of the production folder, never through a symbolic link."""

    def __init__(self, root: str, index: StatIndex) -> None:
        self._root = root
        self._index = index
        self._folders: dict[str, bool] = {"": os.path.isdir(root)}
        self.in_the_way: set[str] = set()

    def finder(self) -> Callable[[str], Entry | None]:
        """A function that finds what stands at a path; None for nothing, or for a folder."""
        known, root, folders = self._index.known, self._root + "/", self._folders
        lstat = os.lstat

        def find(path: str) -> Entry | None:
            folder = path.rpartition("/")[0]
            there = folders.get(folder)
            if there is None:
                there = self._is_folder(folder)
            if not there:
                return None
            try:
                found = lstat(root + path)
            except (FileNotFoundError, NotADirectoryError):
                return None
            cached = known.get(path)
            if cached is not None and cached[0] == stamp_of(found):
                return cached[1]
            return self._read(path, found)

        return find

    def _is_folder(self, folder: str) -> bool:
        """Whether the path is a real folder; `sync_failed` for a link on the way."""
        known = self._folders.get(folder)
        if known is None:
            above, _, _ = folder.rpartition("/")
            known = self._is_folder(above)
            if known:
                known = self._look_at_folder(folder)
            self._folders[folder] = known
        return known

    def _look_at_folder(self, folder: str) -> bool:
        try:
            mode = os.lstat(f"{self._root}/{folder}").st_mode
        except FileNotFoundError:
            return False
        if stat.S_ISLNK(mode):
            raise sync_failed(
                folder,
                "is a symbolic link in production where the workspace has a folder",
                "SCAR never writes through a link: make it a real folder, or `exclude` it.",
            )
        return stat.S_ISDIR(mode)

    def _read(self, path: str, found: os.stat_result) -> Entry | None:
        place = f"{self._root}/{path}"
        if stat.S_ISDIR(found.st_mode):
            self.in_the_way.add(path)
            return None
        if stat.S_ISLNK(found.st_mode):
            with file_errors(place):
                entry = entry_of(found, os.readlink(place))
        elif stat.S_ISREG(found.st_mode):
            folder = os.open(os.path.dirname(place), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                found, entry = hashed(folder, os.path.basename(place), path)
            finally:
                os.close(folder)
        else:
            raise sync_failed(
                path,
                "is neither a file nor a link in production",
                "Move it away, or add it to the project's `exclude`.",
            )
        self._index.remember(path, found, entry)
        return entry

    def refuse_foreign_folders(self, after: dict[str, Entry | None]) -> None:
        """A folder that stands where a file must go may hold only what this deploy removes."""
        for path in self.in_the_way:
            if after.get(path) is None:
                continue
            for folder, _, names in os.walk(f"{self._root}/{path}"):
                for name in names:
                    inner = os.path.relpath(os.path.join(folder, name), self._root)
                    if inner not in after or after[inner] is not None:
                        raise sync_failed(
                            path,
                            f"is a folder in production and a file in the workspace; "
                            f"'{inner[:100]}' in it would be lost",
                            "Move that folder away, then deploy again.",
                        )
