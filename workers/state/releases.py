"""The releases: what each successful deployment put into production, stored for history,
comparison and rollback.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors
from workers.files.manifest import Entry, dump, load_present


@dataclass(frozen=True)
class ReleasedService:
    """A service in a release: its image's name and id, and the digest of its build inputs."""

    image: str
    image_id: str | None
    build: str | None
    config_hash: str


@dataclass(frozen=True)
class Release:
    """One release. `id` is the job's, so releases sort by time; times are milliseconds since the
    epoch, `seconds` and `downtime` are seconds. `files` are the files that the release brought,
    `relied_on` those of production's own with which the containers were created (its `.env`).
    `restored` is the release that a rollback has restored, `primary` the container that was the
    project's primary one, `subject` the first line of the commit's message; these are None in
    releases of earlier versions. `dirty` is None if Git could not tell. `forecast` is the downtime
    that the question announced, `waited` how long connections were held, in seconds.
    """

    id: str
    at: int
    by: str
    commit: str | None
    dirty: bool | None
    seconds: float
    downtime: float | None
    restored: str | None
    services: Mapping[str, ReleasedService]
    files: Mapping[str, Entry] = field(repr=False)
    relied_on: Mapping[str, Entry] = field(repr=False)
    primary: str | None = None
    subject: str | None = None
    forecast: str | None = None
    waited: float | None = None

    @property
    def contents(self) -> dict[str, Entry]:
        """Return every file that a rollback to this release needs."""
        return {**self.files, **self.relied_on}


class Releases:
    """Reads and writes the releases of one project, one file each in its state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "releases"

    def ids(self) -> list[str]:
        """Return the ids of the releases, oldest first."""
        if not self._folder.exists():
            return []
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def latest(self) -> Release | None:
        """Return the newest release, whose files production should have."""
        ids = self.ids()
        return self.get(ids[-1]) if ids else None

    def get(self, id: str) -> Release:
        """Return the release with this id; raise `sync_failed` if its file is damaged."""
        return _read(self._folder / f"{id}.json")

    def find(self, id: str) -> Release | None:
        """Return the release with this id, None if there is none."""
        return self.get(id) if id in self.ids() else None

    def save(self, release: Release) -> None:
        """Write a release, atomically and synced. The deployment counts as succeeded from here
        on.
        """
        document = {name: getattr(release, name) for name in _PLAIN}
        document["services"] = {name: asdict(s) for name, s in release.services.items()}
        document["files"] = dump(release.files)
        document["relied_on"] = dump(release.relied_on)
        write_synced(self._folder / f"{release.id}.json", json.dumps(document))

    def drop_beyond(self, keep: int) -> list[str]:
        """Delete all releases but the newest `keep`; return the ids of those deleted."""
        gone = self.ids()[:-keep]
        for id in gone:
            path = self._folder / f"{id}.json"
            with file_errors(str(path)):
                path.unlink(missing_ok=True)
        return gone


@lru_cache(maxsize=8)
def _read(path: Path) -> Release:
    """Read a release; cached for the life of the process, since a release never changes once it
    is written.
    """
    return read_json(path, _release_of, _HINT)


def _release_of(document: Any) -> Release:
    files, relied_on = (load_present(document.pop(name)) for name in ("files", "relied_on"))
    services = {name: ReleasedService(**s) for name, s in document.pop("services").items()}
    return Release(**document, services=services, files=files, relied_on=relied_on)


_PLAIN = (
    "id",
    "at",
    "by",
    "commit",
    "dirty",
    "seconds",
    "downtime",
    "restored",
    "primary",
    "subject",
    "forecast",
    "waited",
)
_HINT = "Remove that file: the release is forgotten then, and the one before it counts instead."
