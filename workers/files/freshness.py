"""Which files are still as an index knows them: one `lstat` a file.

Most of a deploy without a change is spent here, so it can be done beside other work:
`python freshness.py ROOT INDEX` looks at every file that the index kept at INDEX knows below ROOT,
and answers on its output with one block: the index's own stamp and the files that are stale. To
start at once it has nothing to import but the standard library's smallest.
"""

from __future__ import annotations

import gc
import marshal
import os
import struct
import sys
import zlib

_HEAD = struct.Struct("<4sII")
_MAGIC = b"SCI2"

Stamp = tuple[int, int, int, int, int]
Row = tuple[Stamp, tuple["str | int", ...]]


def stamp_of(found: os.stat_result) -> Stamp:
    """What has to be the same for a file to be the same."""
    return (
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_size,
        found.st_ino,
        found.st_mode,
    )


def stale(root: str, paths: list[str], known: dict[str, Row]) -> list[str]:
    """Those of `paths` below `root` that are not known, or not as they were."""
    start, lstat, stamp = root + "/", os.lstat, stamp_of
    found: list[str] = []
    for path in paths:
        row = known.get(path)
        try:
            if row is None or row[0] != stamp(lstat(start + path)):
                found.append(path)
        except OSError:
            found.append(path)
    return found


def block(content: object) -> bytes:
    """What `marshal` makes of plain values, with its length and checksum before it."""
    held = marshal.dumps(content)  # type: ignore[arg-type]  # `typing` takes long to import
    return _HEAD.pack(_MAGIC, len(held), zlib.crc32(held)) + held


def unblock(content: bytes, at: int = 0) -> tuple[object, int]:
    """The values of the block that begins at `at`, and where it ends; `ValueError` if torn."""
    begin = at + _HEAD.size
    if begin > len(content):
        raise ValueError("no head")
    magic, length, checksum = _HEAD.unpack_from(content, at)
    held = memoryview(content)[begin : begin + length]
    if magic != _MAGIC or len(held) != length or zlib.crc32(held) != checksum:
        raise ValueError("torn")
    return marshal.loads(held), begin + length


def rows(content: bytes) -> tuple[dict[str, Row], int]:
    """The rows of an index's file, as far as it reads well, and how many of them were appended
    after the first block: all, where it does not read well to its end."""
    known: dict[str, Row] | None = None
    appended = at = 0
    while at < len(content):
        try:
            found, at = unblock(content, at)
        except ValueError:
            return known or {}, len(known or {})  # the next save writes the whole
        assert isinstance(found, dict)
        if known is None:
            known = found
            continue
        appended += len(found)
        for path, row in found.items():
            if row is None:
                known.pop(path, None)
            else:
                known[path] = row
    return known or {}, appended


def _answer(root: str, index: str) -> None:
    gc.disable()
    with open(index, "rb") as file:
        stamp = stamp_of(os.fstat(file.fileno()))
        content = file.read()
        if stamp_of(os.fstat(file.fileno())) != stamp:
            return
    known, _ = rows(content)
    sys.stdout.buffer.write(block((stamp, stale(root, list(known), known))))
    sys.stdout.buffer.flush()
    os._exit(0)  # without giving back every row


if __name__ == "__main__":
    _answer(*sys.argv[1:])
