"""Opens folders of a tree, each relative to its parent and never through a symbolic link."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from types import TracebackType

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_AT_ONCE = 256
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_STAYS = (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, *_NOT_THERE)


class Tree:
    """The tree at `root`; paths are relative to it, and `""` is the root itself.

    Methods raise `OSError`. A link in place of a folder counts as a missing folder.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._handles = {"": os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)}

    def __enter__(self) -> Tree:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every folder."""
        while self._handles:
            os.close(self._handles.popitem()[1])

    def absolute(self, path: str) -> str:
        """Return the absolute path, for messages."""
        return f"{self.root}/{path}"

    def folder(self, path: str) -> int:
        """Return a descriptor of the folder. It stays open until `_OPEN_AT_ONCE` other folders
        were opened.
        """
        handle = self._handles.get(path)
        if handle is None:
            above, _, name = path.rpartition("/")
            handle = os.open(name, _FOLDER, dir_fd=self.folder(above))
            if len(self._handles) >= _OPEN_AT_ONCE:
                os.close(self._handles.pop(next(k for k in self._handles if k)))
        else:
            # Reinserted at the end, so that the least recently used descriptor is first.
            del self._handles[path]
        self._handles[path] = handle
        return handle

    def find_folder(self, path: str) -> int | None:
        """Return a descriptor of the folder, as `folder` does; None if there is no such folder."""
        try:
            return self.folder(path)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise

    def split(self, path: str) -> tuple[int, str]:
        """Return the open parent folder of `path`, and the last component of `path`."""
        folder, _, name = path.rpartition("/")
        return self.folder(folder), name

    def make(self, path: str) -> int:
        """Return the folder; create it if it is missing, with the owner of the root."""
        try:
            return self.folder(path)
        except FileNotFoundError:
            above, _, name = path.rpartition("/")
            parent = self.make(above)
            os.mkdir(name, 0o755, dir_fd=parent)
            handle = self.folder(path)
            root = os.fstat(self._handles[""])
            set_folder(handle, 0o755, root.st_uid, root.st_gid)
            return handle

    def lstat(self, path: str) -> os.stat_result | None:
        """Return the `lstat` of the path, or None if nothing is there."""
        try:
            handle, name = self.split(path)
            return os.stat(name, dir_fd=handle, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise

    def unlink(self, path: str) -> None:
        """Remove a file, if it exists."""
        try:
            handle, name = self.split(path)
            os.unlink(name, dir_fd=handle)
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise

    def remove_folder(self, path: str) -> None:
        """Remove a folder, unless it is not empty or is a mount point."""
        self._forget(path)
        try:
            handle, name = self.split(path)
            os.rmdir(name, dir_fd=handle)
        except OSError as error:
            if error.errno not in _STAYS:
                raise

    def remove_empty_folders(self, path: str) -> None:
        """Remove a folder that contains nothing but empty folders; raise `OSError` otherwise."""
        for name in os.listdir(self.folder(path)):
            self.remove_empty_folders(f"{path}/{name}")
        self._forget(path)
        handle, name = self.split(path)
        os.rmdir(name, dir_fd=handle)

    def devices(self) -> dict[int, int]:
        """Return the devices of the open folders, each with a descriptor on it."""
        return {os.fstat(handle).st_dev: handle for handle in self._handles.values()}

    def _forget(self, path: str) -> None:
        for known in [k for k in self._handles if k == path or k.startswith(path + "/")]:
            os.close(self._handles.pop(known))


def above(path: str) -> Iterator[str]:
    """Yield the folders that a path is in, innermost first, the root (`""`) last."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def set_folder(handle: int, mode: int, uid: int, gid: int) -> None:
    """Set the mode of an open folder and, if this process is root, its owner."""
    status = os.fstat(handle)
    if os.geteuid() == 0 and (status.st_uid, status.st_gid) != (uid, gid):
        os.fchown(handle, uid, gid)
    if status.st_mode & 0o7777 != mode:
        os.fchmod(handle, mode)
