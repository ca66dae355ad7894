"""The journal of a deployment: a write-ahead log of its effects on production.

One file for each project, with one JSON record on each line, synced before the next effect begins.
An incomplete last line (the machine crashed while writing it) counts as not written, because its
effect had not begun. If an earlier line is damaged, any effect may be missing, so a person has to
decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scar.errors import ScarError
from scar.json_object import JsonObject
from workers.files.durable import reserve
from workers.files.failures import damaged
from workers.files.records import add_record, read_records
from workers.state.host_lock import taken_if_free

ENDED = "ended"
RESTORED = "restored"
"""The record that a job that restores one file has passed its point of no return; a deployment has
passed it once its release exists.
"""

_ROOM = 1 << 18
"""Bytes reserved for later records, so that compensation can be journalled even if the disk is
full.
"""
_HINT = (
    "A deploy was cut off, and this file told how far it had come. See to it that production is as "
    "it should be, remove the file, then deploy again."
)


class Journal:
    """The journal of one project. `records` are those of the job in progress, or of the last job.

    The constructor raises `sync_failed` if a job is in progress and one of its records is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.jsonl"
        lines = read_records(self._path)
        if lines and lines[-1] is None:
            lines.pop()
        self.records = [record for record in lines if record is not None]
        if None in lines and (self.open or not self.records):
            raise damaged(str(self._path), _HINT)

    @property
    def open(self) -> bool:
        """Whether a job has begun and not ended."""
        return bool(self.records) and self.records[-1]["what"] != ENDED

    @property
    def job(self) -> str | None:
        """The id of the job that wrote the records, None if there are none."""
        return str(self.records[0]["job"]) if self.records else None

    def begin(self, job: str) -> None:
        """Start the journal of a new job; the records of the last one are deleted."""
        self.records = []
        reserve(self._path, _ROOM)
        self.write("begun", {"job": job})

    def write(self, what: str, content: JsonObject | None = None) -> None:
        """Add a record; return once it is synced to the disk."""
        record = {"what": what, **(content or {})}
        add_record(self._path, record, over_damaged=True)
        self.records.append(record)

    def find(self, what: str) -> JsonObject | None:
        """Return the content of the last record with the name `what`, None if there is none."""
        return next((r for r in reversed(self.records) if r["what"] == what), None)


def abandoned(projects: Path) -> Iterator[str]:
    """Yield the ids of interrupted deployments that no process is working on: their journal is
    open, and the lock of their project is free.
    """
    for folder in sorted(projects.iterdir()) if projects.is_dir() else ():
        with taken_if_free(folder / "lock") as free:
            job = _open_job(folder) if free else None
        if job is not None:
            yield job


def _open_job(folder: Path) -> str | None:
    try:
        journal = Journal(folder)
    except ScarError:
        return None  # the project's next job reports the damage
    return journal.job if journal.open else None
