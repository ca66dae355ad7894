"""Reads whole files into memory: only regular ones, up to a size limit."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from scar.errors import ScarError

LARGEST = 1 << 20
"""The maximum size in bytes of a file that is read whole, such as a Compose file or an ignore file.
"""

ABSENT = (errno.ENOENT, errno.ENOTDIR)

OPEN_AT_ONCE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
"""Flags for `os.open`: without O_NONBLOCK, opening a pipe waits for its writer."""


def read_regular_file(path: Path) -> bytes | None:
    """Return the content of a file, links followed; None where there is none.

    Raises `project_invalid` if the file is no regular one or too large.
    """
    try:
        return read_opened(os.open(path, OPEN_AT_ONCE), str(path))
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise unreadable(str(path), error.strerror or "it cannot be read") from error


def read_opened(handle: int, place: str) -> bytes:
    """Return the content of an open file, and close it; raises like `read_regular_file`."""
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise unreadable(place, "it is not a regular file")
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise unreadable(place, f"it has more than {LARGEST >> 20} MiB")
    return content


def unreadable(place: str, why: str) -> ScarError:
    """Return the error for a file of a Compose project that cannot be read."""
    return ScarError(
        "project_invalid",
        f"Compose cannot read {place}: {why}",
        "Put a readable file there, or take its name out of the Compose file.",
    )
