"""What a changing job has done to a project so far, on disk before and after it acts.

One file per project, one JSON record a line, each synced before the next effect. A last line that
is torn (the machine died while writing it) is as if it had not been written: its effect had not
begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workers.files.failures import file_errors
from workers.files.records import add_record, read_records, reserve

ENDED = "ended"
_ROOM = 1 << 18
"""Bytes kept free for the rest, so that a disk that fills up keeps no rollback from being noted."""


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
        reserve(self._path, _ROOM)

    def write(self, what: str, content: Mapping[str, Any] | None = None) -> None:
        """Adds a record; returns once it is on the disk."""
        record = {"what": what, **(content or {})}
        add_record(self._path, record)
        self.records.append(record)

    def find(self, what: str) -> dict[str, Any] | None:
        """The last record of that kind."""
        return next((r for r in reversed(self.records) if r["what"] == what), None)


def _read(path: Path) -> list[dict[str, Any]]:
    """The records up to the first that cannot be read: what follows cannot be understood."""
    records: list[dict[str, Any]] = []
    for record in read_records(path):
        if record is None:
            break
        records.append(record)
    return records
