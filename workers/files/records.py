"""A file of JSON records, one a line, that grows by whole records only."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workers.files.durable import sync_folder
from workers.files.failures import file_errors


def read_records(path: Path) -> list[dict[str, Any] | None]:
    """The records, None for each line that cannot be read. A last line without its end (the machine
    or the disk failed while it was written) is as if it had not been begun.
    """
    with file_errors(str(path)):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return []
    return [_parsed(line) for line in content.split(b"\n")[:-1]]


def add_record(path: Path, record: Mapping[str, Any], *, over_damaged: bool = False) -> None:
    """Adds a record; returns once it is on the disk. `disk_full` leaves the file as it was.

    It takes the place of a last line that was torn, and with `over_damaged` of one that has its
    end but cannot be read.
    """
    line = (json.dumps(record) + "\n").encode()
    with file_errors(str(path)):
        new = not path.exists()
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            whole = _whole(path.read_bytes(), over_damaged)
            if os.fstat(handle).st_size != whole:
                # What is torn there would swallow the next record. (Never to the same length:
                # that would give up what is reserved.)
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
    """The length of the lines that are whole."""
    end = content.rfind(b"\n") + 1
    last = content.rfind(b"\n", 0, max(0, end - 1)) + 1
    return last if over_damaged and end and _parsed(content[last:end]) is None else end


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
