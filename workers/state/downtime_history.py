"""The downtimes that were measured of a project: what the next question estimates with."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import structlog

from scar.errors import ScarError
from workers.files.durable import read_json, write_synced

_log = structlog.get_logger(__name__)
_KEPT = 10
UNKNOWN = "10-30 seconds"


class DowntimeHistory:
    """The last ten of each kind of job, in seconds, in the project's state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "downtimes.json"

    def add(self, kind: str, seconds: float) -> None:
        """Keeps one measurement; what was done counts, whether that can be kept or not."""
        found = self._read()
        found[kind] = [*found.get(kind, []), seconds][-_KEPT:]
        try:
            write_synced(self._path, json.dumps(found))
        except ScarError as error:
            _log.warning("downtime not kept", reason=error.message)

    def estimate(self, kind: str) -> str:
        """`0-2 seconds`: the range of the last ones, whole seconds; a guess until there is one."""
        known = self._read().get(kind)
        if not known:
            return UNKNOWN
        low, high = math.floor(min(known)), math.ceil(max(known))
        return f"{low}-{high} seconds" if low != high else f"{low} seconds"

    def _read(self) -> dict[str, list[float]]:
        """What is kept; nothing where that is damaged: the next measurements take its place."""
        if not self._path.exists():
            return {}
        try:
            return read_json(self._path, _numbers, "")
        except ScarError as error:
            _log.warning("downtimes not read", reason=error.message)
            return {}


def _numbers(found: Any) -> dict[str, list[float]]:
    return {kind: [float(seconds) for seconds in known] for kind, known in found.items()}
