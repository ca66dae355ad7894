"""The containers that this host's projects had when they were last looked at, on disk.

A watcher that starts compares with it: what ran then and does not run now has ended while nobody
watched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from scar.errors import ScarError
from scar.json_object import JsonObject
from workers.files.durable import read_json, write_synced

_HINT = "Remove that file: the containers that run now are taken as they are."
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Member:
    """A container of a project: its Compose service (or an empty text), and whether it has ever
    run while it was watched.
    """

    service: str
    runs: bool


class Roster:
    """The members of each project, by name. Written when something has changed, by one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = False
        self._members = self._read()

    def of(self, project: str) -> Mapping[str, Member]:
        """Return the members of a project."""
        return self._members.get(project, {})

    def put(self, project: str, name: str, member: Member) -> None:
        """Note how a container was seen."""
        members = self._members.setdefault(project, {})
        if members.get(name) != member:
            members[name] = member
            self._changed = True

    def drop(self, project: str, name: str) -> None:
        """Forget a container that is not expected any more."""
        if self._members.get(project, {}).pop(name, None):
            self._changed = True

    def keep_only(self, projects: Mapping[str, object]) -> None:
        """Forget the projects that are not among these."""
        for project in [name for name in self._members if name not in projects]:
            del self._members[project]
            self._changed = True

    def save(self) -> None:
        """Write the file, where something has changed. A failure is logged: the watcher goes on,
        and the next change writes again.
        """
        if not self._changed:
            return
        content = {
            project: {name: asdict(member) for name, member in members.items()}
            for project, members in self._members.items()
        }
        try:
            write_synced(self._path, json.dumps(content))
            self._changed = False
        except ScarError as error:
            _log.warning("containers not noted", reason=error.message)

    def _read(self) -> dict[str, dict[str, Member]]:
        if not self._path.exists():
            return {}
        try:
            return read_json(self._path, _members_of, _HINT)
        except ScarError as error:
            _log.warning("containers of before not known", reason=error.message, hint=error.hint)
            return {}


def _members_of(content: JsonObject) -> dict[str, dict[str, Member]]:
    return {
        project: {
            name: Member(str(member["service"]), bool(member["runs"]))
            for name, member in members.items()
        }
        for project, members in content.items()
    }
