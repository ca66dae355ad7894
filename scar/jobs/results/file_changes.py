"""Which files a job changes or has changed."""

from __future__ import annotations

from dataclasses import dataclass

from scar.jobs.results.json_record import JsonRecord


@dataclass(frozen=True)
class FileNames(JsonRecord):
    """Paths below the job's folder, at most 200 of each sort; `FileCounts` says how many there
    are."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True)
class FileCounts(JsonRecord):
    """How many files of each sort there are."""

    added: int
    changed: int
    removed: int

    @property
    def total(self) -> int:
        """How many files differ."""
        return self.added + self.changed + self.removed
