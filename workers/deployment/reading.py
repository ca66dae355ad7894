"""Reads files of a workspace or of production without following links."""

from __future__ import annotations

import hashlib
import os

from workers.engine.regular_file import ABSENT, OPEN_AT_ONCE, read_opened, unreadable
from workers.files.failures import changed_meanwhile, shown
from workers.files.manifest import Entry
from workers.files.tree import Tree


def read_from(root: str, path: str) -> bytes | None:
    """Return the content of the file at `path` below `root`, None where there is none.

    Raises `project_invalid` if the path contains a link, or if the file is no regular one or too
    large.
    """
    place = shown(f"{root}/{path}")
    try:
        with Tree(root) as tree:
            folder, name = tree.split(path)
            return read_opened(os.open(name, OPEN_AT_ONCE | os.O_NOFOLLOW, dir_fd=folder), place)
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise unreadable(place, error.strerror or "it cannot be read") from error


def read_entry(root: str, path: str, entry: Entry) -> bytes:
    """Return the content of a file that was scanned; `sync_failed` where it has changed since."""
    content = read_from(root, path)
    if content is None or hashlib.sha256(content).hexdigest() != entry.digest:
        raise changed_meanwhile(f"{root}/{path}")
    return content
