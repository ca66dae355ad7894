"""The state folder of a project's last agent run: the snapshot before it, and how to undo it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workers.agent.snapshot import Contents, contents_of, take_snapshot
from workers.files.content_store import ContentStore
from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo

_HINT = "It told what the agent found; without it that cannot be undone. Remove it, then ask again."


@dataclass(frozen=True)
class RunRecord:
    """A run, and the state of the workspace before it.

    `job` is the run's id, `uid` the agent's user, `git` whether the workspace was a repository,
    `commit` its HEAD, `left_out` the paths that the snapshot does not hold.
    """

    job: str
    uid: int
    git: bool
    commit: str | None
    left_out: tuple[str, ...]

    def to_json(self) -> str:
        """Return the text of `begun.json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, values: Any) -> RunRecord:
        """Return the record with these values; raises LookupError or TypeError if it is damaged."""
        left_out = tuple(values["left_out"])
        return cls(values["job"], values["uid"], values["git"], values["commit"], left_out)


class RunStore:
    """The records of the last run; while it works, there is no `undo`.

    Every property reads the disk; a damaged record raises `sync_failed`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stat_cache = StatCache.load(folder / "index")

    @property
    def content_store(self) -> ContentStore:
        """The store with the contents of the snapshot's files."""
        return ContentStore(self._folder / "objects")

    @property
    def last_run(self) -> RunRecord | None:
        """The last run that was started, whether it has ended or not."""
        path = self._folder / "begun.json"
        return read_json(path, RunRecord.from_json, _HINT) if path.exists() else None

    @property
    def snapshot(self) -> Undo | None:
        """The workspace as it was before the last run."""
        return Undo.load(self._folder / "kept.json")

    @property
    def undo(self) -> Undo | None:
        """The record that undoes the last run, once it has ended."""
        return Undo.load(self._folder / "undo.json")

    @property
    def last_discard(self) -> Undo | None:
        """The undo record of the last discard, whether it was finished or cut off."""
        return Undo.load(self._folder / "discarding.json")

    def scan(self, root: Path) -> Contents:
        """Return what the workspace holds, reading only files that changed since the last scan."""
        contents = contents_of(root, self._stat_cache)
        self._stat_cache.save(self._folder / "index")
        return contents

    def start_run(
        self, record: RunRecord, root: Path, contents: Contents, check: Callable[[], None]
    ) -> Undo:
        """Take the snapshot of a new run, which replaces the records of the run before it.

        Raises `disk_full`, `sync_failed`, and whatever `check` raises.
        """
        snapshot = take_snapshot(record.job, root, contents, self.content_store, check)
        with file_errors(str(self._folder)):
            (self._folder / "undo.json").unlink(missing_ok=True)
        snapshot.save(self._folder / "kept.json")
        self.content_store.sweep([{path: e for path, e in snapshot.before.items() if e}])
        # Last: the record makes this the last run, so its snapshot has to be complete.
        write_synced(self._folder / "begun.json", record.to_json())
        return snapshot

    def save_undo(self, undo: Undo) -> None:
        """Save the record that undoes the last run."""
        undo.save(self._folder / "undo.json")

    def save_discard(self, undo: Undo) -> None:
        """Save the undo record of a discard, before its first file changes."""
        undo.save(self._folder / "discarding.json")
