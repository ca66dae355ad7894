"""Which content a file had when it was last read, found by `lstat` alone.

The idea is git's index: size, times and inode tell whether a file can have changed. A file that
changed so shortly before it was read that a further change could hide in the same clock tick is
not remembered ("racily clean", git's Documentation/technical/racy-git).

It is kept with `marshal`, ten times as fast as JSON here: the file is SCAR's own and can be made
anew at any time.
"""

from __future__ import annotations

import marshal
import os
import time
from pathlib import Path

from workers.files.manifest import Entry

_TICK_NS = 50_000_000
_VERSION = 1

Stamp = tuple[int, int, int, int, int]


def stamp_of(found: os.stat_result) -> Stamp:
    """What has to be the same for a file to be the same."""
    return (
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_size,
        found.st_ino,
        found.st_mode,
    )


class StatIndex:
    """Path → stamp and entry."""

    def __init__(self, known: dict[str, tuple[Stamp, Entry]] | None = None) -> None:
        self.known = known if known is not None else {}
        self.changed = False

    def remember(self, path: str, found: os.stat_result, entry: Entry) -> None:
        """Keeps the entry, unless the file is too young to be sure of."""
        self.changed = True
        if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _TICK_NS:
            self.known[path] = (stamp_of(found), entry)
        else:
            self.known.pop(path, None)

    @classmethod
    def load(cls, path: Path) -> StatIndex:
        """The index kept at `path`; an empty one where there is none or it does not read."""
        try:
            version, found = marshal.loads(path.read_bytes())
        except (FileNotFoundError, ValueError, EOFError, TypeError):
            return cls()
        if version != _VERSION:
            return cls()
        return cls({name: (stamp, Entry._make(entry)) for name, stamp, entry in found})

    def save(self, path: Path) -> None:
        """Keeps the index; losing it costs time, nothing else, so it is not synced."""
        if not self.changed:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        rows = [(path, stamp, tuple(entry)) for path, (stamp, entry) in self.known.items()]
        beside.write_bytes(marshal.dumps((_VERSION, rows)))
        os.replace(beside, path)
        self.changed = False
