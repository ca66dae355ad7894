"""Lists and counts of files that a job would change, or has changed."""

from __future__ import annotations

from dataclasses import dataclass

from scar.jobs.results.json_record import JsonRecord


@dataclass(frozen=True)
class FileNames(JsonRecord):
    """Paths relative to the job's folder, at most 200 each of added, changed and removed ones;
    `FileCounts` has the full numbers.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True)
class FileCounts(JsonRecord):
    """The numbers of added, changed and removed files."""

    added: int
    changed: int
    removed: int

    @property
    def total(self) -> int:
        """The number of all files that differ."""
        return self.added + self.changed + self.removed
