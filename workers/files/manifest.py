"""Manifests: the files and links of a tree, by path."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from typing import Any, NamedTuple

PERMISSIONS = 0o1777
"""The mode bits that are copied from a workspace; setuid and setgid never are."""

ALL_BITS = 0o7777
"""The mode bits that are restored on a file of production when a change is undone."""


class Entry(NamedTuple):
    """A file or a symbolic link.

    `kind` is `file` or `link`. `digest` is the SHA-256 of the content in hex, or the link's target.
    `mtime` is in nanoseconds. The owner is stored so that undoing a change can restore it.
    """

    kind: str
    mode: int
    size: int
    mtime: int
    digest: str
    uid: int
    gid: int

    def same_content(self, other: Entry | None) -> bool:
        """Return whether content and permissions are equal; times and owners are ignored."""
        return (
            other is not None
            and self.digest == other.digest
            and self.kind == other.kind
            and (self.kind == "link" or (self.mode ^ other.mode) & PERMISSIONS == 0)
        )

    def same_mode(self, mode: int) -> bool:
        """Return whether the mode from an `lstat` is of the same kind and, for a file, has the
        same permissions.
        """
        if self.kind == "link":
            return stat.S_ISLNK(mode)
        return stat.S_ISREG(mode) and (self.mode ^ mode) & PERMISSIONS == 0


Manifest = Mapping[str, Entry]
"""Path relative to the tree's root, with `/`, undecodable bytes as surrogates → its entry.

Folders are implied by the files in them; an empty folder is not carried."""


def entry_of(status: os.stat_result, digest: str, bits: int = PERMISSIONS) -> Entry:
    """Return the entry of a file or link from its `lstat`; only `bits` of its mode are included."""
    kind = "link" if stat.S_ISLNK(status.st_mode) else "file"
    return Entry(
        kind,
        status.st_mode & bits,
        status.st_size,
        status.st_mtime_ns,
        digest,
        status.st_uid,
        status.st_gid,
    )


def dump(manifest: Mapping[str, Entry | None]) -> str:
    """Return a manifest as JSON; None means that nothing is at the path."""
    return json.dumps(manifest, separators=(",", ":"))


def load(text: str) -> dict[str, Entry | None]:
    """Parse a manifest from the JSON that `dump` returned."""
    return entries(json.loads(text))


def entries(values: Mapping[str, list[Any] | None]) -> dict[str, Entry | None]:
    """Convert a manifest's parsed JSON to entries by path."""
    return {path: Entry(*entry) if entry else None for path, entry in values.items()}


def load_present(text: str) -> dict[str, Entry]:
    """Parse the JSON of a manifest in which no entry is None."""
    return {path: Entry(*entry) for path, entry in json.loads(text).items()}
