"""Stores the records of a project's last agent run: the snapshot from before it, and how to undo
it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workers.agent.changes import undo_since
from workers.agent.snapshot import Contents, contents_of, take_snapshot
from workers.files.content_store import ContentStore
from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo

_HINT = "It told what the agent found; without it that cannot be undone. Remove it, then ask again."


@dataclass(frozen=True)
class RunRecord:
    """An agent's run, and the state of the workspace before it.

    `job` is the id of the run's job, `uid` the agent's user. `git` is whether the workspace was a
    Git repository, `commit` its HEAD. `left_out` are the paths that the snapshot does not contain.
    """

    job: str
    uid: int
    git: bool
    commit: str | None
    left_out: tuple[str, ...]

    def to_json(self) -> str:
        """Return the record as JSON, the content of `begun.json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, values: Any) -> RunRecord:
        """Parse the record; raise `LookupError` or `TypeError` if it is damaged."""
        left_out = tuple(values["left_out"])
        return cls(values["job"], values["uid"], values["git"], values["commit"], left_out)


class RunStore:
    """The records of the last run, on disk. Until the run has ended, there is no `undo`.

    Every property reads the disk, and raises `sync_failed` if a record is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stat_cache = StatCache.load(folder / "index")

    @property
    def content_store(self) -> ContentStore:
        """The content store with the files of the snapshot."""
        return ContentStore(self._folder / "objects")

    @property
    def last_run(self) -> RunRecord | None:
        """The record of the last run that was started, whether it has ended or not; None if
        there was none.
        """
        path = self._folder / "begun.json"
        return read_json(path, RunRecord.from_json, _HINT) if path.exists() else None

    @property
    def snapshot(self) -> Undo | None:
        """The snapshot of the workspace from before the last run."""
        return Undo.load(self._folder / "kept.json")

    @property
    def undo(self) -> Undo | None:
        """The undo record that reverts the last run's changes; None until the run has ended."""
        return Undo.load(self._folder / "undo.json")

    @property
    def last_discard(self) -> Undo | None:
        """The undo record of the last `agent_discard`, whether that was completed or
        interrupted.
        """
        return Undo.load(self._folder / "discarding.json")

    def scan(self, root: Path) -> Contents:
        """Return the contents of the workspace; reads only files that have changed since the
        last scan.
        """
        contents = contents_of(root, self._stat_cache)
        self._stat_cache.save(self._folder / "index")
        return contents

    def start_run(
        self, record: RunRecord, root: Path, contents: Contents, check: Callable[[], None]
    ) -> Undo:
        """Take the snapshot for a new run. It replaces the records of the run before.

        Raises `disk_full`, `sync_failed`, and the exceptions of `check`.
        """
        snapshot = take_snapshot(record.job, root, contents, self.content_store, check)
        with file_errors(str(self._folder)):
            (self._folder / "undo.json").unlink(missing_ok=True)
        snapshot.save(self._folder / "kept.json")
        self.content_store.sweep([{path: e for path, e in snapshot.before.items() if e}])
        # Written last: this record makes the run the last one, and its snapshot must be complete by
        # then.
        write_synced(self._folder / "begun.json", record.to_json())
        return snapshot

    def undo_until(self, now: Contents) -> Undo:
        """Return the undo record of the changes between the last run's snapshot, which must exist,
        and `now`.
        """
        snapshot, record = self.snapshot, self.last_run
        assert snapshot is not None
        assert record is not None
        return undo_since(snapshot, frozenset(record.left_out), now)

    def save_undo(self, undo: Undo) -> None:
        """Save the undo record that reverts the last run's changes."""
        undo.save(self._folder / "undo.json")

    def save_discard(self, undo: Undo) -> None:
        """Save the undo record of an `agent_discard`, before it changes the first file."""
        undo.save(self._folder / "discarding.json")
