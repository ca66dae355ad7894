"""What a changing job has done to a project so far, on disk before and after it acts.

One file per project, one JSON record a line, each synced before the next effect. A last line that
is torn (the machine died while writing it) is as if it had not been written: its effect had not
begun. A damaged line before it can have told of anything: then nobody but a person can go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workers.files.durable import reserve
from workers.files.failures import damaged
from workers.files.records import add_record, read_records

ENDED = "ended"
_ROOM = 1 << 18
"""Bytes kept free for the rest, so that a disk that fills up keeps no rollback from being noted."""
_HINT = (
    "A deploy was cut off, and this file told how far it had come. See to it that production is as "
    "it should be, remove the file, then deploy again."
)


class Journal:
    """The journal of one project; `records` are of the job under way, or the last.

    Raises `sync_failed` where a job is under way and what it did cannot be told.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.jsonl"
        found = read_records(self._path)
        if found and found[-1] is None:
            found.pop()
        self.records = [record for record in found if record is not None]
        if None in found and (self.open or not self.records):
            raise damaged(str(self._path), _HINT)

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
        self.records = []
        reserve(self._path, _ROOM)
        self.write("begun", {"job": job})

    def write(self, what: str, content: Mapping[str, Any] | None = None) -> None:
        """Adds a record; returns once it is on the disk."""
        record = {"what": what, **(content or {})}
        add_record(self._path, record, over_damaged=True)
        self.records.append(record)

    def find(self, what: str) -> dict[str, Any] | None:
        """The last record of that kind."""
        return next((r for r in reversed(self.records) if r["what"] == what), None)
