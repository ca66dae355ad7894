"""The record of held doors on the disk: written before the first is held, removed after the last
has ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.diversion.hold import HeldPort
from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors

_NAME = "held_doors.json"
_HINT = "Remove that file, then ask again: what it names ends by itself."


@dataclass(frozen=True)
class HeldRecord:
    """The ports by service that are held while these are replaced. `token` is in the names of the
    tables; nobody who cannot read the file knows it.
    """

    token: str
    ports: Mapping[str, tuple[HeldPort, ...]]

    def table(self, service: str) -> str:
        """Return the name of a service's table."""
        return f"scar_held_{self.token}_{sorted(self.ports).index(service)}"

    @classmethod
    def load(cls, folder: Path) -> HeldRecord | None:
        """Return the record in a project's state folder; None where there is none.

        Raises `sync_failed` where it is damaged.
        """
        path = folder / _NAME
        return read_json(path, _parsed, _HINT) if path.exists() else None

    def save(self, folder: Path) -> None:
        """Write the record, synced."""
        ports = {
            name: [[held.port, held.host_ip] for held in ports]
            for name, ports in self.ports.items()
        }
        write_synced(folder / _NAME, json.dumps({"token": self.token, "ports": ports}))

    @staticmethod
    def remove(folder: Path) -> None:
        """Remove the record: nothing is held any more."""
        path = folder / _NAME
        with file_errors(str(path)):
            path.unlink(missing_ok=True)


def _parsed(document: Any) -> HeldRecord:
    ports = {
        str(name): tuple(HeldPort(int(port), str(host_ip)) for port, host_ip in held)
        for name, held in document["ports"].items()
    }
    return HeldRecord(str(document["token"]), ports)
