"""The errors of file work, in the words a person reads."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from scar.errors import ScarError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def shown(path: str) -> str:
    """Return a path for a message: undecodable bytes and control characters escaped, cut at 300."""
    text = path.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)[
        :300
    ]


def sync_failed(path: str, what: str, hint: str) -> ScarError:
    """Return the error of a file that cannot be deployed as it is."""
    return ScarError("sync_failed", f"'{shown(path)}' {what}", hint)


def unfit(path: str, what: str) -> ScarError:
    """Return the error of something in the workspace that is never copied."""
    return sync_failed(path, what, "Remove it, or add it to the project's `exclude`.")


def changed_meanwhile(path: str) -> ScarError:
    """Return the error of a file that did not hold still."""
    return sync_failed(
        path, "changed while it was being deployed", "Let it settle, then deploy again."
    )


def damaged(path: str, hint: str) -> ScarError:
    """Return the error of a file of SCAR's own that does not hold what was written."""
    return sync_failed(path, "is damaged and cannot be read", hint)


@contextmanager
def file_errors(path: str) -> Iterator[None]:
    """Raise an `OSError` of the block as the `ScarError` of `file_error`."""
    try:
        yield
    except OSError as error:
        raise file_error(path, error) from error


def file_error(path: str, error: OSError) -> ScarError:
    """Return `disk_full` or `sync_failed` for what the system says about `path`."""
    if error.errno in _FULL:
        return disk_full(path)
    reason = error.strerror or type(error).__name__
    return sync_failed(path, f"cannot be worked on: {reason}", _HINT)


_HINT = "Check its owner and permissions and the mount it is on, then deploy again."


def disk_full(path: str, *, need: int | None = None) -> ScarError:
    """Return the error of a filesystem without room; `need` is in bytes."""
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
    """Return the nearest folder at or above `path` that exists."""
    folder = os.path.abspath(path)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder
