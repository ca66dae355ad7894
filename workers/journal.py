"""What a changing job has done to a project so far, on disk before and after it acts.

One file per project, one JSON record a line, each synced before the next effect. A last line that
is torn (the machine died while writing it) is as if it had not been written: its effect had not
begun.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workers.files.failures import file_errors

ENDED = "ended"


class Journal:
    """The journal of one project; `records` are of the job under way, or the last."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.jsonl"
        self.records: list[dict[str, Any]] = _read(self._path)

    @property
    def open(self) -> bool:
        """Whether a job began here and did not end."""
        return bool(self.records) and self.records[-1]["what"] != ENDED

    @property
    def job(self) -> str | None:
        """The job whose records these are."""
        return str(self.records[0]["job"]) if self.records else None

    def begin(self, job: str) -> None:
        """Starts over for a new job."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.records = []
        with file_errors(str(self._path)):
            self._path.unlink(missing_ok=True)
        self.write("begun", {"job": job})

    def write(self, what: str, content: Mapping[str, Any] | None = None) -> None:
        """Adds a record; returns once it is on the disk."""
        record = {"what": what, **(content or {})}
        with file_errors(str(self._path)):
            handle = os.open(
                self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
            )
            try:
                os.write(handle, (json.dumps(record) + "\n").encode())
                os.fsync(handle)
            finally:
                os.close(handle)
        self.records.append(record)

    def find(self, what: str) -> dict[str, Any] | None:
        """The last record of that kind."""
        return next((r for r in reversed(self.records) if r["what"] == what), None)


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    records: list[dict[str, Any]] = []
    for line in path.read_bytes().splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records
