"""What a tree of files holds."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from typing import Any, NamedTuple

PERMISSIONS = 0o1777
"""The mode bits that are carried over from a workspace; setuid and setgid never are."""

ALL_BITS = 0o7777
"""The mode bits that a production file gets back when a change is undone."""


class Entry(NamedTuple):
    """A file or a symbolic link.

    `kind` is `file` or `link`; `digest` is the SHA-256 of the content in hex, or the link's target.
    `mtime` is in nanoseconds. Owners are kept so that an undone change can give them back.
    """

    kind: str
    mode: int
    size: int
    mtime: int
    digest: str
    uid: int
    gid: int

    def same_content(self, other: Entry | None) -> bool:
        """Whether both hold the same, with the same permissions; times and owners do not count."""
        return (
            other is not None
            and self.digest == other.digest
            and self.kind == other.kind
            and (self.kind == "link" or (self.mode ^ other.mode) & PERMISSIONS == 0)
        )


Manifest = Mapping[str, Entry]
"""Path relative to the tree's root, with `/`, undecodable bytes as surrogates → its entry.
Folders are there by the files in them; an empty folder is not carried."""


def entry_of(found: os.stat_result, digest: str, bits: int = PERMISSIONS) -> Entry:
    """The entry for what `lstat` found; of its mode, `bits` count."""
    kind = "link" if stat.S_ISLNK(found.st_mode) else "file"
    return Entry(
        kind,
        found.st_mode & bits,
        found.st_size,
        found.st_mtime_ns,
        digest,
        found.st_uid,
        found.st_gid,
    )


def dump(manifest: Mapping[str, Entry | None]) -> str:
    """A manifest as JSON; None stands for "nothing there"."""
    return json.dumps(manifest, separators=(",", ":"))


def load(text: str) -> dict[str, Entry | None]:
    """The reverse of `dump`."""
    return entries(json.loads(text))


def entries(found: Mapping[str, list[Any] | None]) -> dict[str, Entry | None]:
    """Entries from what JSON makes of them."""
    return {path: Entry(*entry) if entry else None for path, entry in found.items()}


def load_present(text: str) -> dict[str, Entry]:
    """A manifest in which everything is there."""
    return {path: Entry(*found) for path, found in json.loads(text).items()}
