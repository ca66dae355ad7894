"""Which content a file had when it was last read, found by `lstat` alone.

The idea is git's index: size, times and inode tell whether a file can have changed. A file that
changed so shortly before it was read that a further change could hide in the same clock tick is
not remembered ("racily clean", git's Documentation/technical/racy-git).

On disk it is a row of blocks, each with its length and checksum: the whole first, then what
changed since, so that saving costs what changed. A block that is torn ends the reading. The blocks
are `marshal`, ten times as fast as JSON here: the file is SCAR's own and can be made anew.
"""

from __future__ import annotations

import marshal
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workers.files.collector import collector_paused
from workers.files.failures import file_errors
from workers.files.manifest import Entry

TICK_NS = 50_000_000
_HEAD = struct.Struct("<4sII")
_MAGIC = b"SCI2"

Stamp = tuple[int, int, int, int, int]
Row = tuple[Stamp, tuple[str | int, ...]]


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
    """Path → stamp and entry, as plain tuples."""

    def __init__(self, known: dict[str, Row] | None = None, appended: int = 0) -> None:
        self.known = known if known is not None else {}
        self._touched: set[str] = set()
        self._appended = appended

    def find(self, path: str, found: os.stat_result) -> Entry | None:
        """The entry of a file that has not changed since it was read."""
        row = self.known.get(path)
        return Entry._make(row[1]) if row is not None and row[0] == stamp_of(found) else None

    def stale(self, root: str, paths: Sequence[str]) -> set[str]:
        """Those of `paths` below `root` that are not known, or not as they were.

        This is where a deploy without a change spends its time: one `lstat` a file.
        """
        known, start, lstat, stamp = self.known, root + "/", os.lstat, stamp_of
        found: set[str] = set()
        for path in paths:
            row = known.get(path)
            try:
                if row is None or row[0] != stamp(lstat(start + path)):
                    found.add(path)
            except OSError:
                found.add(path)
        return found

    def remember(self, path: str, found: os.stat_result, entry: Entry, read_at: int) -> None:
        """Keeps the entry, unless the file was too young to be sure of at `read_at` (ns)."""
        if read_at - found.st_ctime_ns > TICK_NS:
            self.put(path, found, entry)
        else:
            self.forget(path)

    def put(self, path: str, found: os.stat_result, entry: Entry) -> None:
        """Keeps the entry of a file whose content is known for sure."""
        self.known[path] = (stamp_of(found), tuple(entry))
        self._touched.add(path)

    def forget(self, path: str) -> None:
        """The file is gone, or nobody knows what it holds."""
        if self.known.pop(path, None) is not None:
            self._touched.add(path)

    @classmethod
    @collector_paused()
    def load(cls, path: Path) -> StatIndex:
        """The index kept at `path`; as much of it as reads well.

        While nobody else writes the file, it is read once a process. What a job that then failed
        put into the index is as true as the rest.
        """
        try:
            stamp = stamp_of(path.stat())
            kept = _loaded.get(path)
            if kept is not None and kept[0] == stamp:
                return kept[1]
            content = path.read_bytes()
        except FileNotFoundError:
            return cls()
        index = cls._read(content)
        _loaded[path] = stamp, index
        return index

    @classmethod
    def _read(cls, content: bytes) -> StatIndex:
        known: dict[str, Row] = {}
        appended = -1
        at = 0
        while at + _HEAD.size <= len(content):
            magic, length, checksum = _HEAD.unpack_from(content, at)
            block = memoryview(content)[at + _HEAD.size : at + _HEAD.size + length]
            if magic != _MAGIC or len(block) != length or zlib.crc32(block) != checksum:
                return cls(known, len(known))  # the next save writes the whole
            rows = marshal.loads(block)
            if appended < 0:
                known, appended = rows, 0
            else:
                _take(rows, known)
                appended += len(rows)
            at += _HEAD.size + length
        return cls(known, max(appended, 0) if at == len(content) else len(known))

    def save(self, path: Path) -> None:
        """Keeps the index; losing it costs time, nothing else, so it is not synced."""
        if not self._touched:
            return
        with file_errors(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._appended += len(self._touched)
            if self._appended * 2 > len(self.known) or not path.exists():
                beside = path.with_suffix(".new")
                beside.write_bytes(_block(self.known))
                os.replace(beside, path)
                self._appended = 0
            else:
                with path.open("ab") as file:
                    file.write(_block({name: self.known.get(name) for name in self._touched}))
            _loaded[path] = stamp_of(path.stat()), self
        self._touched.clear()


_loaded: dict[Path, tuple[Stamp, StatIndex]] = {}


def _take(rows: dict[str, Row | None], known: dict[str, Row]) -> None:
    for path, row in rows.items():
        if row is None:
            known.pop(path, None)
        else:
            known[path] = row


def _block(rows: Any) -> bytes:
    content = marshal.dumps(rows)
    return _HEAD.pack(_MAGIC, len(content), zlib.crc32(content)) + content
