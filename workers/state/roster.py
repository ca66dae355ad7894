"""Stores on disk which containers this host's projects had when they were last looked at. A watcher
that starts compares them with the present ones: a container that ran then and does not now has
ended while no watcher ran. The latest ends of each are kept too, so that a restart loop is one
across a restart of the worker.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import structlog

from scar.errors import ScarError
from scar.json_object import JsonObject
from workers.files.durable import read_json, write_synced

_HINT = "Remove that file: the containers that run now are taken as they are."
_log = structlog.get_logger(__name__)


MOST_DEATHS = 20
"""So many ends of a container are kept."""


@dataclass(frozen=True)
class Death:
    """An end of a container that was caused neither by a job of SCAR nor by a manual stop or kill.
    `at` is in seconds since the epoch. `out_of_memory` says that the kernel killed it for lack of
    memory.
    """

    at: float
    exit_code: int
    out_of_memory: bool = False


@dataclass(frozen=True)
class Member:
    """A container of a project: its Compose service (or an empty text), whether it has ever run
    while it was watched, and its latest ends, oldest first.
    """

    service: str
    runs: bool
    deaths: tuple[Death, ...] = ()


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
        """Record the present state of a container."""
        members = self._members.setdefault(project, {})
        if members.get(name) != member:
            members[name] = member
            self._changed = True

    def note_deaths(self, project: str, name: str, deaths: Iterable[Death]) -> None:
        """Note the latest ends of a container; nothing for one that was not looked at yet."""
        member = self._members.get(project, {}).get(name)
        if member is not None:
            self.put(project, name, replace(member, deaths=tuple(deaths)))

    def drop(self, project: str, name: str) -> None:
        """Remove a container that is no longer expected."""
        if self._members.get(project, {}).pop(name, None):
            self._changed = True

    def keep_only(self, projects: Mapping[str, object]) -> None:
        """Remove all projects but these."""
        for project in [name for name in self._members if name not in projects]:
            del self._members[project]
            self._changed = True

    def save(self) -> None:
        """Write the file if something has changed. A failure is only logged, since the next change
        writes it again.
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
            name: Member(
                str(member["service"]),
                bool(member["runs"]),
                tuple(_death_of(death) for death in member.get("deaths", ())[-MOST_DEATHS:]),
            )
            for name, member in members.items()
        }
        for project, members in content.items()
    }


def _death_of(death: JsonObject) -> Death:
    return Death(float(death["at"]), int(death["exit_code"]), bool(death["out_of_memory"]))
