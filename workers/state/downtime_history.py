"""Stores a project's measured downtimes, from which the next question estimates the downtime."""

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
    """The last ten downtimes of each kind of job, in seconds, in the project's state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "downtimes.json"

    def add(self, kind: str, seconds: float) -> None:
        """Add a measurement; if it cannot be written, it is dropped, since the job has
        succeeded.
        """
        downtimes = self._read()
        downtimes[kind] = [*downtimes.get(kind, []), seconds][-_KEPT:]
        try:
            write_synced(self._path, json.dumps(downtimes))
        except ScarError as error:
            _log.warning("downtime not kept", reason=error.message)

    def estimate(self, kind: str) -> str:
        """Return the range of the last downtimes in whole seconds, such as `0-2 seconds`; a
        default if none was measured yet.
        """
        known = self._read().get(kind)
        if not known:
            return UNKNOWN
        low, high = math.floor(min(known)), math.ceil(max(known))
        return f"{low}-{high} seconds" if low != high else f"{low} seconds"

    def _read(self) -> dict[str, list[float]]:
        """Read the file; return nothing if it is damaged, so that the next measurement replaces
        it.
        """
        if not self._path.exists():
            return {}
        try:
            return read_json(self._path, _numbers, "")
        except ScarError as error:
            _log.warning("downtimes not read", reason=error.message)
            return {}


def _numbers(document: Any) -> dict[str, list[float]]:
    return {kind: [float(seconds) for seconds in known] for kind, known in document.items()}
