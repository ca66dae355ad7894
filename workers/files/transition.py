"""Production on its way from one side of an undo record to the other."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from scar.errors import ScarError
from workers.files.content_store import ContentStore
from workers.files.durable import sync_device
from workers.files.failures import changed_meanwhile, existing_folder, file_errors
from workers.files.manifest import ALL_BITS, Entry, entry_of
from workers.files.scan import hashed
from workers.files.stat_cache import StatCache, stamp_of
from workers.files.tree import Tree, set_folder
from workers.files.undo import Undo, above, set_attributes


class Found(NamedTuple):
    """What stands at a path; neither for nothing, no entry for what is no file and no link."""

    status: os.stat_result | None
    entry: Entry | None

    @property
    def folder(self) -> bool:
        """Whether it is a folder."""
        return self.status is not None and stat.S_ISDIR(self.status.st_mode)

    def is_(self, wanted: Entry | None) -> bool:
        """Whether it is what a side of the record says; a folder counts as no file."""
        if wanted is None:
            return self.status is None or self.folder
        return wanted.same_content(self.entry)


class Transition:
    """The steps of one crossing, `forward` from before to after, or back.

    `strange` are the paths found in neither state. Forward, they end the crossing; on the way
    back, what they hold is kept in the store and then replaced, and `failed` tells of those that
    could not be looked at. Methods raise `ScarError`.
    """

    def __init__(
        self, undo: Undo, tree: Tree, objects: ContentStore, index: StatCache, *, forward: bool
    ) -> None:
        self._undo = undo
        self._tree = tree
        self._objects = objects
        self._index = index
        self._forward = forward
        before, after = undo.before, undo.after
        self._wanted, self._expected = (after, before) if forward else (before, after)
        self._seen: dict[str, Found] = {}
        self._moving = {*undo.folders, *undo.made}
        self._beside = {
            path: self._beside_of(path, f".scar-{undo.job}-{number}")
            for number, path in enumerate(sorted(undo.after))
        }
        self.strange: list[str] = []
        self.failed: list[ScarError] = []
        self.placed: set[str] = set()

    def clear_temporaries(self) -> None:
        """Removes what was written beside, by this crossing or one that was cut off."""
        for beside in self._beside.values():
            with file_errors(self._tree.absolute(beside)):
                self._tree.unlink(beside)

    def look(self) -> list[str]:
        """The paths that are not yet what they should be; notes and keeps the strange ones."""
        todo: list[str] = []
        for path, wanted in self._wanted.items():
            try:
                found = self._find(path)
                if found.is_(wanted):
                    continue
                if not self._is_expected(path, found):
                    self._meet(path, found)
            except ScarError as error:
                if self._forward:
                    raise
                self.failed.append(error)
                continue
            self._seen[path] = found
            todo.append(path)
        if self.strange and not self._forward:
            self._objects.sync()
        return todo

    def write(self, path: str) -> None:
        """Writes the wanted content beside its place."""
        entry, beside = self._wanted[path], self._beside[path]
        assert entry is not None
        with file_errors(self._tree.absolute(path)):
            folder, name = self._tree.split(beside)
            uid, gid = self._owner(path)
            if entry.kind == "link":
                os.symlink(entry.digest, name, dir_fd=folder)
                if os.geteuid() == 0:
                    os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)
                times = (entry.mtime, entry.mtime)
                os.utime(name, ns=times, dir_fd=folder, follow_symlinks=False)
                return
            restores = "" if self._forward else self._tree.absolute(path)
            file = self._objects.write(entry, name, folder, restores=restores)
            try:
                if os.geteuid() == 0:
                    os.fchown(file, uid, gid)
                had = self._undo.before[path]
                if had is not None and had.kind == "file":
                    attributes = self._undo.attributes.get(path, {})
                    set_attributes(file, attributes, security=not self._forward)
                os.fchmod(file, entry.mode)
                os.utime(file, ns=(entry.mtime, entry.mtime))
            finally:
                os.close(file)

    def sync(self) -> None:
        """Brings the store and every filesystem of production that was written to, to the disk."""
        with file_errors(self._tree.root):
            devices = self._tree.devices()
            for handle in devices.values():
                sync_device(handle)
        if os.stat(existing_folder(self._objects.folder)).st_dev not in devices:
            self._objects.sync()

    def blocked(self, path: str) -> bool:
        """Whether a file and a folder change places here or on the way here."""
        if path in self._moving:
            return True
        return any(self._expected.get(folder) is not None for folder in above(path))

    def place(self, path: str) -> None:
        """Renames what was written beside over its target, unless that just changed."""
        tree, entry = self._tree, self._wanted[path]
        assert entry is not None
        self._look_again(path)
        with file_errors(tree.absolute(path)):
            parent, _, name = path.rpartition("/")
            folder = tree.make(parent)
            if self._seen[path].folder and self._find(path).folder:
                tree.remove_empty_folders(path)
            source, beside = tree.split(self._beside[path])
            os.rename(beside, name, src_dir_fd=source, dst_dir_fd=folder)
            self._note(path, entry)
        self.placed.add(path)

    def remove(self, path: str) -> None:
        """Removes a file that is not wanted, unless it just changed."""
        self._look_again(path)
        if self._seen[path].entry is None:
            return  # a pipe or the like that somebody put there, and that no copy can be kept of
        with file_errors(self._tree.absolute(path)):
            self._tree.unlink(path)
        self._index.forget(path)

    def bring(self, path: str) -> None:
        """Writes, syncs and places one file."""
        try:
            self.write(path)
            self.sync()
            self.place(path)
        finally:
            with file_errors(self._tree.absolute(path)):
                self._tree.unlink(self._beside[path])

    def leaving(self) -> list[str]:
        """The folders that this side does not have, innermost first."""
        folders = list(self._undo.folders) if self._forward else list(self._undo.made)
        return sorted(filter(None, folders), reverse=True)

    def remove_folder(self, path: str) -> None:
        """Removes a folder, where nobody has put anything."""
        with file_errors(self._tree.absolute(path)):
            self._tree.remove_folder(path)

    def restore_folder(self, path: str) -> None:
        """Gives a folder of before back, with its attributes, mode and owner."""
        with file_errors(self._tree.absolute(path)):
            folder = self._tree.make(path)
            set_attributes(folder, self._undo.attributes.get(path, {}), security=True)
            set_folder(folder, *self._undo.folders[path])

    def _beside_of(self, path: str, name: str) -> str:
        """In the nearest folder that is there before and after, so that no kill can hide it."""
        folder = next(f for f in above(path) if not f or f not in self._moving)
        return f"{folder}/{name}" if folder else name

    def _find(self, path: str) -> Found:
        with file_errors(self._tree.absolute(path)):
            status = self._tree.lstat(path)
            if status is None or not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
                return Found(status, None)
            digest = self._index.digest_of(path, status)
            if digest is None:
                folder, name = self._tree.split(path)
                if stat.S_ISLNK(status.st_mode):
                    digest = os.readlink(name, dir_fd=folder)
                else:
                    status, digest, _ = hashed(folder, name, self._tree.absolute(path))
            return Found(status, entry_of(status, digest, ALL_BITS))

    def _is_expected(self, path: str, found: Found) -> bool:
        if found.folder and self._wanted[path] is not None:
            return path in self._moving
        return found.is_(self._expected[path])

    def _look_again(self, path: str) -> None:
        seen = self._seen[path]
        with file_errors(self._tree.absolute(path)):
            status = self._tree.lstat(path)
        if status is None and seen.status is None:
            return
        if status and seen.status and stamp_of(status) == stamp_of(seen.status):
            return
        found = self._seen[path] = self._find(path)
        if found.folder and seen.folder:
            return
        if found.is_(self._expected[path]) or found.is_(self._wanted[path]):
            return
        self._meet(path, found)
        if self._forward:
            raise changed_meanwhile(self._tree.absolute(path))
        self._objects.sync()

    def _meet(self, path: str, found: Found) -> None:
        if path not in self.strange:
            self.strange.append(path)
        if self._forward or found.entry is None:
            return
        with file_errors(self._tree.absolute(path)):
            folder, _ = self._tree.split(path)
        self._objects.drop_if_damaged(found.entry)
        self._objects.put(self._tree.absolute(path), found.entry, folder)
        self._objects.keep(self._undo.job, {path: found.entry})

    def _owner(self, path: str) -> tuple[int, int]:
        """A file that production had keeps its owner; a new one is owned as the folder is."""
        had = self._undo.before[path]
        if had is not None:
            return had.uid, had.gid
        root = os.fstat(self._tree.folder(""))
        return root.st_uid, root.st_gid

    def _note(self, path: str, entry: Entry) -> None:
        """Remembers what was put in place, so that the next look is one `lstat`.

        Somebody may have written to it since: then its time is not ours any more.
        """
        found = self._tree.lstat(path)
        if found is not None and (found.st_mtime_ns, found.st_size) == (entry.mtime, entry.size):
            self._index.put(path, found, entry.digest)
        else:
            self._index.forget(path)
