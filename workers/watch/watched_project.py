"""What the baker knows of one project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scar.jobs.bake import Bake
from workers.state.bake_state import BakeFile, BakeState

_KEPT_SECONDS = 3600.0


@dataclass
class WatchedProject:
    """A project: its state, the file of it, when it was looked at last (seconds since the epoch),
    what is yet to be published, and of which moment the releases are that were seen.
    """

    state: BakeState
    file: BakeFile
    looked: float
    unpublished: Bake | None = None
    seen: int = 0

    @classmethod
    def of(cls, folder: Path, now: float) -> WatchedProject:
        """Read what an earlier process has left. Its bake is published once more: the process may
        have been killed before it had done so.
        """
        file = BakeFile(folder)
        state = file.load()
        bake = state.bake
        is_young = bake is not None and now < bake.until / 1000 + _KEPT_SECONDS
        return cls(state, file, min(file.saved_at(), now), bake if is_young else None)
