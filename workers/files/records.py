"""Append-only files of JSON records, one on each line, each synced before the call returns."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workers.files.durable import open_own, sync_folder
from workers.files.failures import file_errors


def read_records(path: Path) -> list[dict[str, Any] | None]:
    """Return the records, with None for each line that cannot be parsed.

    A last line without a line feed was cut off by a crash, and is ignored.
    """
    with file_errors(str(path)):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return []
    return [_parsed(line) for line in content.split(b"\n")[:-1]]


def add_record(path: Path, record: Mapping[str, Any], *, over_damaged: bool = False) -> None:
    """Append a record and sync the file. If the disk is full, the file stays as it was.

    A last line that was cut off is overwritten; with `over_damaged`, also a last line that is
    complete but cannot be parsed.
    """
    line = (json.dumps(record) + "\n").encode()
    with file_errors(str(path)):
        new = not path.exists()
        handle = open_own(path, os.O_RDWR | os.O_CREAT)
        try:
            whole = _whole(path.read_bytes(), over_damaged)
            if os.fstat(handle).st_size != whole:
                # An incomplete line would corrupt the next record. It is overwritten and not
                # truncated, which would release the space that `reserve` allocated.
                os.ftruncate(handle, whole)
            try:
                if os.pwrite(handle, line, whole) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(handle)
            except BaseException:
                os.ftruncate(handle, whole)
                raise
        finally:
            os.close(handle)
        if new:
            sync_folder(path.parent)


def _whole(content: bytes, over_damaged: bool) -> int:
    """Return the length in bytes of the file's complete lines."""
    end = content.rfind(b"\n") + 1
    last = content.rfind(b"\n", 0, max(0, end - 1)) + 1
    return last if over_damaged and end and _parsed(content[last:end]) is None else end


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
