"""The baker's state of one project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scar.jobs.bake import Bake
from workers.state.bake_state import BakeFile, BakeState

_KEPT_SECONDS = 3600.0


@dataclass
class WatchedProject:
    """One project: its stored state and the file of that, when it was last looked at (seconds since
    the epoch), the bake that has not been published yet, and the modification time of the releases
    that were read.
    """

    state: BakeState
    file: BakeFile
    looked: float
    unpublished: Bake | None = None
    seen: int = 0

    @classmethod
    def of(cls, folder: Path, now: float) -> WatchedProject:
        """Read the state that an earlier process has left. Its bake is published again, in case the
        process was killed before doing so.
        """
        file = BakeFile(folder)
        state = file.load()
        bake = state.bake
        is_young = bake is not None and now < bake.until / 1000 + _KEPT_SECONDS
        return cls(state, file, min(file.saved_at(), now), bake if is_young else None)
