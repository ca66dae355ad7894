"""Keeps the state folder private: only the user that SCAR runs as may enter it or create files in
it.

It contains SCAR's journals, locks, signed requests and copies of replaced files. If others could
write to it, they could replace any of these by a link.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from scar.settings.error import SettingsError

_PRIVATE = 0o077
"""The mode bits that files and folders of state never have."""

_CONTENTS = ("objects", "build", "git", "tree", "preview-")
"""Beginnings of the names of folders that hold copies of a project's files, with their modes."""


def keep_private(folder: Path | None) -> None:
    """Make new files of this process private to its user, and everything in `folder` likewise.

    `folder` is the state folder, None for a part that has none. Wrong modes are mended. Raises
    `SettingsError` where something in the folder belongs to somebody else or is a link, or where a
    mode cannot be mended. A folder that is not there is not made.
    """
    os.umask(_PRIVATE)
    try:
        if folder is not None and folder.exists():
            _mend(str(folder), os.stat(folder))
            for path, status in _walk(str(folder)):
                _mend(path, status)
    except OSError as error:
        raise SettingsError(
            [f"SCAR_STATE_DIR: {error.filename or folder} cannot be used: {error.strerror}"]
        ) from error


def _walk(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the paths below a folder that is already private; a folder before its content."""
    with os.scandir(folder) as listing:
        items = list(listing)
    for item in items:
        with suppress(FileNotFoundError):  # another part of SCAR has removed it
            status = item.stat(follow_symlinks=False)
            yield item.path, status
            if stat.S_ISDIR(status.st_mode) and not item.name.startswith(_CONTENTS):
                yield from _walk(item.path)


def _mend(path: str, status: os.stat_result) -> None:
    """Remove the rights of other users on a path, or raise `SettingsError`."""
    if status.st_uid != os.geteuid():
        raise SettingsError(
            [
                f"SCAR_STATE_DIR: {path} belongs to user {status.st_uid}, and SCAR runs as user "
                f"{os.geteuid()}; give it to that user (chown), or set another folder"
            ]
        )
    if stat.S_ISLNK(status.st_mode):
        raise SettingsError([f"SCAR_STATE_DIR: {path} is a symbolic link; remove it"])
    if status.st_mode & _PRIVATE:
        with suppress(FileNotFoundError):
            os.chmod(path, stat.S_IMODE(status.st_mode) & ~0o7077)
