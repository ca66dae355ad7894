"""Folders of a tree, opened one from the other and never through a symbolic link."""

from __future__ import annotations

import errno
import os
from types import TracebackType

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_AT_ONCE = 256
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_STAYS = (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, *_NOT_THERE)


class Tree:
    """The tree at `root`; paths are relative to it, and `""` is the root itself.

    Methods raise `OSError`. A link where a folder should be counts as "no folder there".
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
        while self._handles:
            os.close(self._handles.popitem()[1])

    def absolute(self, path: str) -> str:
        """The path as a person knows it."""
        return f"{self.root}/{path}"

    def folder(self, path: str) -> int:
        """A descriptor of the folder, valid until many others have been asked for."""
        handle = self._handles.get(path)
        if handle is None:
            above, _, name = path.rpartition("/")
            handle = os.open(name, _FOLDER, dir_fd=self.folder(above))
            if len(self._handles) >= _OPEN_AT_ONCE:
                os.close(self._handles.pop(next(k for k in self._handles if k)))
        else:
            del self._handles[path]  # the one used last is given up last
        self._handles[path] = handle
        return handle

    def split(self, path: str) -> tuple[int, str]:
        """The open folder of `path`, and its name in it."""
        folder, _, name = path.rpartition("/")
        return self.folder(folder), name

    def make(self, path: str) -> int:
        """The folder, made where it is missing, with the owner of the root."""
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
        """What stands at the path, or None."""
        try:
            handle, name = self.split(path)
            return os.stat(name, dir_fd=handle, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise

    def unlink(self, path: str) -> None:
        """Removes a file, if it is there."""
        try:
            handle, name = self.split(path)
            os.unlink(name, dir_fd=handle)
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise

    def remove_folder(self, path: str) -> None:
        """Removes a folder, unless something is in it or it is mounted."""
        self._forget(path)
        try:
            handle, name = self.split(path)
            os.rmdir(name, dir_fd=handle)
        except OSError as error:
            if error.errno not in _STAYS:
                raise

    def remove_empty_folders(self, path: str) -> None:
        """Removes a folder with the folders in it; `OSError` where there is anything else."""
        for name in os.listdir(self.folder(path)):
            self.remove_empty_folders(f"{path}/{name}")
        self._forget(path)
        handle, name = self.split(path)
        os.rmdir(name, dir_fd=handle)

    def devices(self) -> dict[int, int]:
        """The filesystems of the folders that are open, each with a descriptor on it."""
        return {os.fstat(handle).st_dev: handle for handle in self._handles.values()}

    def _forget(self, path: str) -> None:
        for known in [k for k in self._handles if k == path or k.startswith(path + "/")]:
            os.close(self._handles.pop(known))


def set_folder(handle: int, mode: int, uid: int, gid: int) -> None:
    """Gives an open folder its mode and, where that is allowed, its owner."""
    found = os.fstat(handle)
    if os.geteuid() == 0 and (found.st_uid, found.st_gid) != (uid, gid):
        os.fchown(handle, uid, gid)
    if found.st_mode & 0o7777 != mode:
        os.fchmod(handle, mode)
