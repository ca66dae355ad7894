"""Caches digests by the fields of `stat`, so that unchanged files are not read again.

As in Git's index, times, size, inode and mode show whether a file can have changed. A digest is not
cached if the file changed so shortly before it was read that another change could have the same
time ("racily clean" in Git's Documentation/technical/racy-git).
"""

from __future__ import annotations

import marshal
import os
import zlib
from collections.abc import Collection
from pathlib import Path

from workers.files.durable import open_own
from workers.files.failures import file_errors

TICK_NS = 50_000_000
Stamp = tuple[int, int, int, int, int]
Rows = dict[str, tuple[Stamp, str]]
_FORMAT = f"scar stat cache 3 marshal {marshal.version}"


def stamp_of(status: os.stat_result) -> Stamp:
    """Return the fields of a status that stay equal while a file is unchanged."""
    return (
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_size,
        status.st_ino,
        status.st_mode,
    )


class StatCache:
    """The digests of one tree's files, by path; the digest of a link is its target.

    The file begins with a line with its format and checksum, followed by the rows in Python's
    `marshal` format, as in `.pyc` files. A file that is missing, damaged or of another version is
    treated as empty, since everything can be computed again. With `marshal`, deploying changes in 1
    % of 20,000 files takes 400 ms of processor time; with `json` 500 ms; rsync takes 240 ms.
    """

    def __init__(self, rows: Rows | None = None) -> None:
        self._rows: Rows = {} if rows is None else rows
        self._changed = False

    def digest_of(self, path: str, status: os.stat_result) -> str | None:
        """Return the digest of a file; None if the file may have changed since it was read."""
        row = self._rows.get(path)
        return row[1] if row is not None and row[0] == stamp_of(status) else None

    def remember(self, path: str, status: os.stat_result, digest: str, read_at: int) -> None:
        """Cache a digest, unless the file had changed so shortly before `read_at` (ns) that it
        may be outdated.
        """
        if read_at - status.st_ctime_ns > TICK_NS:
            self.put(path, status, digest)
        else:
            self.forget(path)

    def put(self, path: str, status: os.stat_result, digest: str) -> None:
        """Cache the digest of a file whose content is certain, because this process wrote it."""
        self._rows[path] = stamp_of(status), digest
        self._changed = True

    def forget(self, path: str) -> None:
        """Remove a file that was deleted, or whose content is unknown."""
        if self._rows.pop(path, None) is not None:
            self._changed = True

    def keep_only(self, paths: Collection[str]) -> None:
        """Remove from the cache all files that are not among `paths`."""
        for path in [path for path in self._rows if path not in paths]:
            self.forget(path)

    @classmethod
    def load(cls, path: Path) -> StatCache:
        """Return the cache stored at `path`. A process reads each file once, and keeps the cache in
        memory.

        Comparing 20,000 unchanged files takes 275 ms of processor time with both caches in memory,
        330 ms without; rsync takes 175 ms. Entries that a failed job added to a cache are valid
        too.
        """
        try:
            stamp = stamp_of(path.stat())
            known_stamp, cache = _loaded.get(path, (None, cls()))
            if known_stamp != stamp:
                cache = cls(_unpacked(path.read_bytes()))
        except FileNotFoundError:
            return cls()
        _loaded[path] = stamp, cache
        return cache

    def save(self, path: Path) -> None:
        """Write the cache to `path` if it has changed. The file is not synced, since losing it
        only costs time.
        """
        if not self._changed:
            return
        with file_errors(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(".new")
            with os.fdopen(open_own(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.write(_packed(self._rows))
            os.replace(beside, path)
            _loaded[path] = stamp_of(path.stat()), self
        self._changed = False


_loaded: dict[Path, tuple[Stamp, StatCache]] = {}


def _packed(rows: Rows) -> bytes:
    body = marshal.dumps(rows)
    return _head(body) + body


def _unpacked(content: bytes) -> Rows:
    """Parse the file's content to rows; none if it is damaged or of another version."""
    head, _, body = content.partition(b"\n")
    rows: Rows = marshal.loads(body) if head + b"\n" == _head(body) else {}
    return rows


def _head(body: bytes) -> bytes:
    return f"{_FORMAT} {zlib.crc32(body):08x}\n".encode()
