"""Which content a file had when it was last read, found by `lstat` alone.

The idea is git's index: size, times and inode tell whether a file can have changed. A file that
changed so shortly before it was read that a further change could hide in the same clock tick is
not remembered ("racily clean", git's Documentation/technical/racy-git).

On disk it is a row of blocks, each with its length and checksum: the whole first, then what
changed since, so that saving costs what changed. A block that is torn ends the reading. The blocks
are `marshal`, ten times as fast as JSON here: the file is SCAR's own and can be made anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.files.ahead import Ahead, looking_ahead
from workers.files.collector import collector_paused
from workers.files.failures import file_errors
from workers.files.freshness import Row, Stamp, block, rows, stale, stamp_of
from workers.files.manifest import Entry

TICK_NS = 50_000_000
_MANY = 2_000
"""From as many files on another process is worth its start (10 ms)."""


class StatCache:
    """Path → stamp and entry, as plain tuples."""

    def __init__(self, known: dict[str, Row] | None = None, appended: int = 0) -> None:
        self.known = known if known is not None else {}
        self._touched: set[str] = set()
        self._appended = appended
        self._kept: tuple[Path, Stamp] | None = None
        self._ahead: Ahead | None = None

    def find(self, path: str, found: os.stat_result) -> Entry | None:
        """The entry of a file that has not changed since it was read."""
        row = self.known.get(path)
        return Entry._make(row[1]) if row is not None and row[0] == stamp_of(found) else None

    @contextmanager
    def looking_ahead(self, root: str) -> Iterator[None]:
        """Within it another process looks at the tree at `root`, for the next `stale` to know."""
        if self._kept is None or len(self.known) < _MANY:
            yield
            return
        with looking_ahead(root, *self._kept) as self._ahead:
            try:
                yield
            finally:
                self._ahead = None

    def stale(self, root: str, paths: list[str]) -> set[str]:
        """Those of `paths` below `root` that are not known, or not as they were."""
        ahead, self._ahead = self._ahead, None
        seen = ahead.answer() if ahead else None
        if seen is None:
            return set(stale(root, paths, self.known))
        # It knew the index as it was saved; what was put into it since is looked at here.
        asked = set(paths)
        again = stale(root, list(asked & self._touched), self.known)
        return (asked & seen) - self._touched | (asked - self.known.keys()) | set(again)

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
    def load(cls, path: Path) -> StatCache:
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
        index = cls(*rows(content))
        index._note(path, stamp)
        return index

    def save(self, path: Path) -> None:
        """Keeps the index; losing it costs time, nothing else, so it is not synced."""
        if not self._touched:
            return
        with file_errors(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._appended += len(self._touched)
            if self._appended * 2 > len(self.known) or not path.exists():
                beside = path.with_suffix(".new")
                beside.write_bytes(block(self.known))
                os.replace(beside, path)
                self._appended = 0
            else:
                with path.open("ab") as file:
                    file.write(block({name: self.known.get(name) for name in self._touched}))
            self._note(path, stamp_of(path.stat()))
        self._touched.clear()

    def _note(self, path: Path, stamp: Stamp) -> None:
        self._kept = path, stamp
        _loaded[path] = stamp, self


_loaded: dict[Path, tuple[Stamp, StatCache]] = {}
