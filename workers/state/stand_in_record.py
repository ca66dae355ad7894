"""The record of a project's stand-ins on disk, written before the first is created and removed
after the last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors

_NAME = "stand_ins.json"
_HINT = (
    "`docker ps --filter label=scar.standin` on the host shows what is left of a deploy that was "
    "cut off: remove it and this file, then ask again."
)


@dataclass(frozen=True)
class StandInRecord:
    """The stand-ins of one project. `token` is in their names and labels, and in the name of the
    diversion; it is secret to everybody who cannot read the file. `names` are their containers by
    service, `replaced` the ids of the containers that they stand in for, `diverting` whether
    connections may be diverted to them.
    """

    token: str
    names: Mapping[str, str]
    replaced: Mapping[str, str]
    diverting: bool = False

    @property
    def table(self) -> str:
        """The name of the diversion's table."""
        return f"scar_{self.token}"

    @classmethod
    def load(cls, folder: Path) -> StandInRecord | None:
        """Return the record in a project's state folder, None if there is none; raise `sync_failed`
        if it is damaged.
        """
        path = folder / _NAME
        return read_json(path, _parsed, _HINT) if path.exists() else None

    def save(self, folder: Path) -> None:
        """Write the record, synced."""
        write_synced(folder / _NAME, json.dumps(asdict(self)))

    @staticmethod
    def remove(folder: Path) -> None:
        """Remove the record, once its stand-ins are gone."""
        path = folder / _NAME
        with file_errors(str(path)):
            path.unlink(missing_ok=True)


def _parsed(document: Any) -> StandInRecord:
    return StandInRecord(
        str(document["token"]),
        dict(document["names"]),
        dict(document["replaced"]),
        bool(document["diverting"]),
    )
