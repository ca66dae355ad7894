"""What is kept on disk of a project's last run of its agent: enough to undo it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from workers.agent.snapshot import Contents, contents_of, keep
from workers.files.content_store import ContentStore
from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo

_HINT = "It told what the agent found; without it that cannot be undone. Remove it, then ask again."


@dataclass(frozen=True)
class Begun:
    """What was found before a run: whether there was a repository, at which commit, and the paths
    that are not kept. `uid` is the agent's user."""

    job: str
    uid: int
    git: bool
    commit: str | None
    left_out: tuple[str, ...]


class RunStore:
    """The folder for it. A run that has begun but not ended has no `undo`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index = StatCache.load(folder / "index")

    @property
    def objects(self) -> ContentStore:
        """The contents that were there."""
        return ContentStore(self._folder / "objects")

    @property
    def begun(self) -> Begun | None:
        """The last run that began to work."""
        path = self._folder / "begun.json"
        if not path.exists():
            return None
        found = read_json(path, lambda values: Begun(**values), _HINT)
        return Begun(found.job, found.uid, found.git, found.commit, tuple(found.left_out))

    @property
    def kept(self) -> Undo | None:
        """Everything as it was before the last run."""
        return Undo.load(self._folder / "kept.json")

    @property
    def undo(self) -> Undo | None:
        """How to undo the last run, once it has ended."""
        return Undo.load(self._folder / "undo.json")

    @property
    def discarding(self) -> Undo | None:
        """What the last discard undid, or was about to."""
        return Undo.load(self._folder / "discarding.json")

    def look(self, root: Path) -> Contents:
        """What the workspace holds."""
        found = contents_of(root, self._index)
        self._index.save(self._folder / "index")
        return found

    def keep(self, begun: Begun, root: Path, found: Contents, check: Callable[[], None]) -> Undo:
        """Keeps the workspace, and gives up what was kept for the run before."""
        kept = keep(begun.job, root, found, self.objects, check)
        with file_errors(str(self._folder)):
            (self._folder / "undo.json").unlink(missing_ok=True)
        kept.save(self._folder / "kept.json")
        self.objects.sweep([{path: e for path, e in kept.before.items() if e}])
        # Last: from now on this run is the one that began.
        write_synced(self._folder / "begun.json", json.dumps(asdict(begun)))
        return kept

    def ended(self, undo: Undo) -> None:
        """Notes what the run has changed."""
        undo.save(self._folder / "undo.json")

    def discard(self, undo: Undo) -> None:
        """Notes what is about to be undone."""
        undo.save(self._folder / "discarding.json")
