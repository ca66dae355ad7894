"""Lists the kept copies of production's files that no release had brought and a job replaced."""

from __future__ import annotations

from dataclasses import dataclass

from workers.files.content_store import ContentStore
from workers.files.manifest import Entry


@dataclass(frozen=True)
class KeptCopy:
    """One copy. `number` counts from 1, the oldest first, and never changes; `job` is the job that
    replaced the file.
    """

    number: int
    job: str
    path: str
    entry: Entry


def kept_copies(contents: ContentStore) -> list[KeptCopy]:
    """Return the copies of files, the oldest first; raises `sync_failed` if the records cannot be
    read.

    Records are only ever appended, so that a copy's number never changes.
    """
    rows = [
        (job, path, entry) for job, files in contents.handmade() for path, entry in files.items()
    ]
    return [
        KeptCopy(number, job, path, entry)
        for number, (job, path, entry) in enumerate(rows, 1)
        if entry.kind == "file"
    ]
