"""The downtimes that were measured of a project: what the next question estimates with."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

_KEPT = 10
UNKNOWN = "10-30 seconds"


class Downtimes:
    """The last ten of each kind of job, in seconds, in the project's state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "downtimes.json"

    def add(self, kind: str, seconds: float) -> None:
        """Keeps one measurement."""
        found = self._read()
        found[kind] = [*found.get(kind, []), seconds][-_KEPT:]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(found))
        os.replace(beside, self._path)

    def estimate(self, kind: str) -> str:
        """`0-2 seconds`: the range of the last ones, whole seconds; a guess until there is one."""
        known = self._read().get(kind)
        if not known:
            return UNKNOWN
        low, high = math.floor(min(known)), math.ceil(max(known))
        return f"{low}-{high} seconds" if low != high else f"{low} seconds"

    def _read(self) -> dict[str, list[float]]:
        if not self._path.exists():
            return {}
        found: dict[str, list[float]] = json.loads(self._path.read_text())
        return found
