"""Writes that are synced to the disk before they return.

If the process is killed or the machine loses power, either the old or the new file remains, never a
part: `write_synced` writes a temporary file, syncs it, renames it and syncs the folder. Functions
raise `disk_full` or `sync_failed`, unless their docstring says `OSError`.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from workers.files.failures import damaged, file_errors

_KEEP_SIZE = 1  # linux/falloc.h: FALLOC_FL_KEEP_SIZE
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


def write_synced(path: Path, text: str) -> None:
    """Replace the content of the file at `path` by `text`, atomically and synced."""
    with file_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        try:
            with os.fdopen(open_own(beside, _NEW), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def open_own(path: Path, flags: int) -> int:
    """Open a file of SCAR's own, created with mode 0600 if `flags` has O_CREAT; raises `OSError`.
    Symbolic links, files with a second hard link and special files are refused, because an attacker
    could place them to make SCAR overwrite another file. With O_TRUNC, the file is emptied only
    after these checks.
    """
    safe = flags & ~os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    handle = os.open(path, safe, 0o600)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise OSError(errno.EINVAL, "it is a link, or no file", str(path))
        if flags & os.O_TRUNC:
            os.ftruncate(handle, 0)
    except BaseException:
        os.close(handle)
        raise
    return handle


def make_folders(path: Path) -> None:
    """Create a project's folder and its parents, readable by everybody whatever the process's umask
    is; raises `OSError`.
    """
    if not path.exists():
        make_folders(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(0o755)


def read_json(path: Path, make: Callable[[Any], T], hint: str) -> T:
    """Read JSON from `path` and return the result of `make` on it.

    Raises `sync_failed` with `hint` if the file is not JSON, or if `make` cannot use it.
    """
    with file_errors(str(path)):
        content = path.read_bytes()
    try:
        return make(json.loads(content))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise damaged(str(path), hint) from error


def reserve(path: Path, size: int) -> None:
    """Create an empty file, and reserve disk space for it to grow to `size` bytes.

    Raises `disk_full` if there is not enough space. On a filesystem without `fallocate(2)`, nothing
    is reserved.
    """
    with file_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open_own(path, _NEW)
        try:
            _allocate(handle, size)
        finally:
            os.close(handle)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that new and renamed entries survive a crash; raise `OSError`."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_filesystem(path: str) -> None:
    """Sync everything written to the filesystem that contains `path`."""
    with file_errors(path):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            sync_device(handle)
        finally:
            os.close(handle)


def sync_device(handle: int) -> None:
    """Call `syncfs(2)`, which `os` lacks, for the filesystem of an open file; raise `OSError`."""
    if _libc.syncfs(handle) != 0:
        raise _last_error()


def _allocate(handle: int, size: int) -> None:
    """Call `fallocate(2)` without changing the file's length, unlike `os.posix_fallocate`."""
    if _libc.fallocate(handle, _KEEP_SIZE, ctypes.c_long(0), ctypes.c_long(size)) != 0:
        error = _last_error()
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS):
            raise error


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
