"""Applies or reverts an undo record, path by path."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from scar.errors import ScarError
from workers.files.attributes import set_attributes
from workers.files.content_store import ContentStore
from workers.files.durable import sync_device
from workers.files.failures import changed_meanwhile, existing_folder, file_errors
from workers.files.manifest import ALL_BITS, PERMISSIONS, Entry, entry_of
from workers.files.scan import hashed
from workers.files.stat_cache import StatCache, stamp_of
from workers.files.tree import Tree, above, set_folder
from workers.files.undo import Undo


class PathState(NamedTuple):
    """The state of a path: `status` is None if nothing is there, `entry` is None for anything
    but a file or link.
    """

    status: os.stat_result | None
    entry: Entry | None

    @property
    def is_folder(self) -> bool:
        return self.status is not None and stat.S_ISDIR(self.status.st_mode)

    def matches(self, wanted: Entry | None) -> bool:
        """Return whether the path is in the state `wanted`; a folder counts as no file."""
        if wanted is None:
            return self.status is None or self.is_folder
        return wanted.same_content(self.entry)


class Transition:
    """Applies an undo record (`forward`), or reverts it, one path at a time.

    `unexpected` are the paths that are in neither of the record's two states. In the forward
    direction the caller stops at them; when reverting, their content is copied to the store and
    then replaced. `errors` are those of paths that could not be read when reverting, `placed` the
    paths already renamed. Methods raise `ScarError`.
    """

    def __init__(
        self, undo: Undo, tree: Tree, store: ContentStore, cache: StatCache, *, forward: bool
    ) -> None:
        self._undo = undo
        self._tree = tree
        self._store = store
        self._cache = cache
        self._forward = forward
        before, after = undo.before, undo.after
        self._wanted, self._expected = (after, before) if forward else (before, after)
        self._states: dict[str, PathState] = {}
        self._moving = {*undo.folders, *undo.made}
        self._temporaries = {
            path: self._temporary_of(path, f".scar-{undo.job}-{number}")
            for number, path in enumerate(sorted(undo.after))
        }
        self.unexpected: list[str] = []
        self.errors: list[ScarError] = []
        self.placed: set[str] = set()

    def clear_temporaries(self) -> None:
        """Delete the temporary files of this process, or of one that was killed."""
        for temporary in self._temporaries.values():
            with file_errors(self._tree.absolute(temporary)):
                self._tree.unlink(temporary)

    def find_pending(self) -> list[str]:
        """Return the paths that are not in the wanted state yet; remember the unexpected ones."""
        pending: list[str] = []
        for path, wanted in self._wanted.items():
            try:
                state = self._state_of(path)
                if state.matches(wanted):
                    continue
                if not self._is_expected(path, state):
                    self._note_unexpected(path, state)
            except ScarError as error:
                if self._forward:
                    raise
                self.errors.append(error)
                continue
            self._states[path] = state
            pending.append(path)
        if self.unexpected and not self._forward:
            self._store.sync()
        return pending

    def write(self, path: str) -> None:
        """Write the wanted content of a path to its temporary file."""
        entry, temporary = self._wanted[path], self._temporaries[path]
        assert entry is not None
        with file_errors(self._tree.absolute(path)):
            folder, name = self._tree.split(temporary)
            if entry.kind == "link":
                self._write_link(path, entry, folder, name)
            else:
                self._write_file(path, entry, folder, name)

    def _write_link(self, path: str, entry: Entry, folder: int, name: str) -> None:
        os.symlink(entry.digest, name, dir_fd=folder)
        if os.geteuid() == 0:
            os.chown(name, *self._owner(path), dir_fd=folder, follow_symlinks=False)
        times = (entry.mtime, entry.mtime)
        os.utime(name, ns=times, dir_fd=folder, follow_symlinks=False)

    def _write_file(self, path: str, entry: Entry, folder: int, name: str) -> None:
        restores = "" if self._forward else self._tree.absolute(path)
        file = self._store.write(entry, name, folder, restores=restores)
        try:
            if os.geteuid() == 0:
                os.fchown(file, *self._owner(path))
            had = self._undo.before[path]
            if had is not None and had.kind == "file":
                set_attributes(file, self._undo.attributes.get(path, {}))
            os.fchmod(file, self._mode(entry, file))
            os.utime(file, ns=(entry.mtime, entry.mtime))
        finally:
            os.close(file)

    def sync(self) -> None:
        """Sync the store and every filesystem of production that was written to."""
        with file_errors(self._tree.root):
            devices = self._tree.devices()
            for handle in devices.values():
                sync_device(handle)
        if os.stat(existing_folder(self._store.folder)).st_dev not in devices:
            self._store.sync()

    def is_blocked(self, path: str) -> bool:
        """Return whether a folder has to be replaced by a file, or the reverse, at this path or
        above it.
        """
        if path in self._moving:
            return True
        return any(self._expected.get(folder) is not None for folder in above(path))

    def place(self, path: str) -> None:
        """Rename the temporary file to its target. In the forward direction, raise if the target
        has just changed.
        """
        tree, entry = self._tree, self._wanted[path]
        assert entry is not None
        self._recheck(path)
        with file_errors(tree.absolute(path)):
            parent, _, name = path.rpartition("/")
            folder = tree.make(parent)
            if self._states[path].is_folder and self._state_of(path).is_folder:
                tree.remove_empty_folders(path)
            source, temporary = tree.split(self._temporaries[path])
            os.rename(temporary, name, src_dir_fd=source, dst_dir_fd=folder)
            self._cache_placed(path, entry)
        self.placed.add(path)

    def remove(self, path: str) -> None:
        """Remove an unwanted file. In the forward direction, raise if it has just changed."""
        self._recheck(path)
        if self._states[path].entry is None:
            return  # a pipe or other special file, of which no copy can be kept
        with file_errors(self._tree.absolute(path)):
            self._tree.unlink(path)
        self._cache.forget(path)

    def write_and_place(self, path: str) -> None:
        """Write a file of the wanted state to a temporary file, sync it, and rename it to its
        target.
        """
        try:
            self.write(path)
            self.sync()
            self.place(path)
        finally:
            with file_errors(self._tree.absolute(path)):
                self._tree.unlink(self._temporaries[path])

    def folders_to_remove(self) -> list[str]:
        """Return the folders that do not exist in the wanted state, innermost first."""
        folders = list(self._undo.folders) if self._forward else list(self._undo.made)
        return sorted(filter(None, folders), reverse=True)

    def remove_folder(self, path: str) -> None:
        """Remove a folder, unless it is not empty."""
        with file_errors(self._tree.absolute(path)):
            self._tree.remove_folder(path)

    def restore_folder(self, path: str) -> None:
        """Create a folder of the state `before` again, with its extended attributes, mode and
        owner.
        """
        with file_errors(self._tree.absolute(path)):
            folder = self._tree.make(path)
            set_attributes(folder, self._undo.attributes.get(path, {}))
            set_folder(folder, *self._undo.folders[path])

    def _temporary_of(self, path: str, name: str) -> str:
        """Return the path for a temporary file, in the nearest folder that exists in both states.

        After a kill at any moment, the temporary file can therefore be found again.
        """
        folder = next(f for f in above(path) if not f or f not in self._moving)
        return f"{folder}/{name}" if folder else name

    def _state_of(self, path: str) -> PathState:
        with file_errors(self._tree.absolute(path)):
            status = self._tree.lstat(path)
            if status is None or not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
                return PathState(status, None)
            digest = self._cache.digest_of(path, status)
            if digest is None:
                folder, name = self._tree.split(path)
                if stat.S_ISLNK(status.st_mode):
                    digest = os.readlink(name, dir_fd=folder)
                else:
                    status, digest, _ = hashed(folder, name, self._tree.absolute(path))
            return PathState(status, entry_of(status, digest, ALL_BITS))

    def _is_expected(self, path: str, state: PathState) -> bool:
        if state.is_folder and self._wanted[path] is not None:
            return path in self._moving
        return state.matches(self._expected[path])

    def _recheck(self, path: str) -> None:
        """Check that a path has not changed since `find_pending`."""
        seen = self._states[path]
        with file_errors(self._tree.absolute(path)):
            status = self._tree.lstat(path)
        if status is None and seen.status is None:
            return
        if status and seen.status and stamp_of(status) == stamp_of(seen.status):
            return
        state = self._states[path] = self._state_of(path)
        if state.is_folder and seen.is_folder:
            return
        if state.matches(self._expected[path]) or state.matches(self._wanted[path]):
            return
        self._note_unexpected(path, state)
        if self._forward:
            raise changed_meanwhile(self._tree.absolute(path))
        self._store.sync()

    def _note_unexpected(self, path: str, state: PathState) -> None:
        if path not in self.unexpected:
            self.unexpected.append(path)
        if self._forward or state.entry is None:
            return
        with file_errors(self._tree.absolute(path)):
            folder, _ = self._tree.split(path)
        self._store.drop_if_damaged(state.entry)
        self._store.put(self._tree.absolute(path), state.entry, folder)
        self._store.keep(self._undo.job, {path: state.entry})

    def _owner(self, path: str) -> tuple[int, int]:
        """Return the owner of the file that is replaced; for a new file, the owner of the root."""
        had = self._undo.before[path]
        if had is not None:
            return had.uid, had.gid
        root = os.fstat(self._tree.folder(""))
        return root.st_uid, root.st_gid

    def _mode(self, entry: Entry, file: int) -> int:
        """Return the mode for the written `file`.

        It has setuid and setgid only if the file has its old owner again, and the owner of the root
        could set them: they would else lend the content the rights of somebody else.
        """
        status, root = os.fstat(file), os.fstat(self._tree.folder(""))
        had = (entry.uid, entry.gid)
        mine = root.st_uid == 0 or had == (root.st_uid, root.st_gid)
        same = had == (status.st_uid, status.st_gid)
        return entry.mode if mine and same else entry.mode & PERMISSIONS

    def _cache_placed(self, path: str, entry: Entry) -> None:
        """Cache the digest of a renamed file, unless its time or size shows that it was written
        to.
        """
        status = self._tree.lstat(path)
        if status is not None and (status.st_mtime_ns, status.st_size) == (entry.mtime, entry.size):
            self._cache.put(path, status, entry.digest)
        else:
            self._cache.forget(path)
