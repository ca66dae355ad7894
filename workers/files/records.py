"""An append-only file of JSON records, one a line, each synced before the call returns."""

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
    """Return the records, None for each line that cannot be read.

    A last line without its line feed was torn by a crash, and is ignored.
    """
    with file_errors(str(path)):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return []
    return [_parsed(line) for line in content.split(b"\n")[:-1]]


def add_record(path: Path, record: Mapping[str, Any], *, over_damaged: bool = False) -> None:
    """Append a record and sync it. `disk_full` leaves the file as it was.

    A last line that was torn is overwritten; with `over_damaged`, also one that has its line feed
    but cannot be read.
    """
    line = (json.dumps(record) + "\n").encode()
    with file_errors(str(path)):
        new = not path.exists()
        handle = open_own(path, os.O_RDWR | os.O_CREAT)
        try:
            whole = _whole(path.read_bytes(), over_damaged)
            if os.fstat(handle).st_size != whole:
                # A torn line would swallow the next record. Not truncated to the same length: that
                # would release what `reserve` allocated.
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
    """Return the length of the lines that are whole."""
    end = content.rfind(b"\n") + 1
    last = content.rfind(b"\n", 0, max(0, end - 1)) + 1
    return last if over_damaged and end and _parsed(content[last:end]) is None else end


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
