"""The errors for files and folders that cannot be read, written or deployed."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from scar.errors import ScarError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def shown(path: str) -> str:
    """Return a path for a message, with undecodable bytes and control characters escaped, cut to
    300 characters.
    """
    text = path.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)[
        :300
    ]


def sync_failed(path: str, what: str, hint: str) -> ScarError:
    """Return `sync_failed`: `what` says what is wrong with the file at `path`, `hint` what to
    do.
    """
    return ScarError("sync_failed", f"'{shown(path)}' {what}", hint)


def unfit(path: str, what: str) -> ScarError:
    """Return the error for something in the workspace that SCAR never copies, such as a pipe."""
    return sync_failed(path, what, "Remove it, or add it to the project's `exclude`.")


def changed_meanwhile(path: str) -> ScarError:
    """Return the error for a file whose content changed while SCAR was reading it."""
    return sync_failed(
        path, "changed while it was being deployed", "Let it settle, then deploy again."
    )


def damaged(path: str, hint: str) -> ScarError:
    """Return the error for a file in SCAR's state folder whose content is damaged."""
    return sync_failed(path, "is damaged and cannot be read", hint)


@contextmanager
def file_errors(path: str) -> Iterator[None]:
    """Raise an `OSError` of the block as a `ScarError`, made by `file_error`."""
    try:
        yield
    except OSError as error:
        raise file_error(path, error) from error


def file_error(path: str, error: OSError) -> ScarError:
    """Convert an `OSError` to `disk_full` or `sync_failed`."""
    if error.errno in _FULL:
        return disk_full(path)
    reason = error.strerror or type(error).__name__
    return sync_failed(path, f"cannot be worked on: {reason}", _HINT)


_HINT = "Check its owner and permissions and the mount it is on, then deploy again."


def disk_full(path: str, *, need: int | None = None) -> ScarError:
    """Return the error for a filesystem without enough free space; `need` is in bytes."""
    folder = existing_folder(path)
    room = os.statvfs(folder)
    mount = folder
    while not os.path.ismount(mount):
        mount = os.path.dirname(mount)
    have = room.f_bavail * room.f_frsize
    free = f"{math.floor(have / 1e5) / 10:.1f} MB free"
    if room.f_files and not room.f_favail:
        free += ", and no room for another file"
    needed = f"{math.ceil(need / 1e5) / 10:.1f} MB needed, " if need else ""
    return ScarError(
        "disk_full",
        f"Not enough room on {mount}: {needed}{free}.",
        f"Free some room on {mount}, then deploy again.",
    )


def existing_folder(path: str) -> str:
    """Return `path`, or else its nearest parent folder that exists."""
    folder = os.path.abspath(path)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder
