"""Stores how long each service was away when it was replaced, which decides whether the next
connections are made to wait.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from scar.errors import ScarError
from workers.files.durable import read_json, write_synced

_KEPT = 3
_log = structlog.get_logger(__name__)


class Windows:
    """The last three windows of each service, in seconds, in the project's state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "windows.json"

    def longest(self, service: str) -> float | None:
        """Return the longest of a service's last windows; None where there was none."""
        return max(self._read().get(service, ()), default=None)

    def add(self, measured: Mapping[str, float]) -> None:
        """Add a window for each service; where they cannot be written, they are dropped."""
        if not measured:
            return
        windows = self._read()
        for service, seconds in measured.items():
            windows[service] = [*windows.get(service, []), round(seconds, 2)][-_KEPT:]
        try:
            write_synced(self._path, json.dumps(windows))
        except ScarError as error:
            _log.warning("windows not kept", reason=error.message)

    def _read(self) -> dict[str, list[float]]:
        """Read the file; return nothing where it is damaged."""
        if not self._path.exists():
            return {}
        try:
            return read_json(self._path, _parsed, "")
        except ScarError as error:
            _log.warning("windows not read", reason=error.message)
            return {}


def _parsed(document: Any) -> dict[str, list[float]]:
    return {str(name): [float(seconds) for seconds in kept] for name, kept in document.items()}
