"""Reports from hosts about the projects file that need the host's Engine. A front-end reads the
file but has no access to an Engine, so only a worker can tell to which Compose project a container
belongs, and which containers a project has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from scar.errors import ErrorRecord
from scar.jobs.signing import Signatures
from scar.json_object import MALFORMED
from scar.projects import Project
from scar.redis_client import redis_errors

_KIND = "report"
_KEPT_SECONDS = 60
_OLDEST_MS = 10 * 60_000
"""How old a report may be; clocks of hosts differ by less."""


def _key(host: str) -> str:
    return f"scar:report:{host}"


@dataclass(frozen=True)
class _Report:
    """One host's report, by the project's name."""

    problems: Mapping[str, ErrorRecord] = field(default_factory=dict)
    containers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class HostReports:
    """Publishes and reads the reports. Each is signed by its host's worker."""

    def __init__(
        self, redis: Redis, signatures: Signatures, *, wall: Callable[[], float] = time.time
    ) -> None:
        self._redis: Any = redis
        self._signatures = signatures
        self._wall = wall

    def publish(
        self,
        host: str,
        problems: Mapping[str, ErrorRecord],
        containers: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Tell what is wrong with this host's projects, and the names of their containers and
        services, by the project's name; it is forgotten after a minute.
        """
        content = {
            "host": host,
            "at": int(self._wall() * 1000),
            "problems": {name: problem.to_json() for name, problem in problems.items()},
            "containers": {name: list(names) for name, names in (containers or {}).items()},
        }
        with redis_errors():
            self._redis.set(_key(host), self._signatures.seal(_KIND, content), ex=_KEPT_SECONDS)

    def problems(self, host_of: Mapping[str, str]) -> dict[str, ErrorRecord]:
        """Return what is wrong with projects, by the project's name. `host_of` are the projects'
        hosts: a host says nothing about the projects of another.

        A report that is of another host, too old, or not signed by the host's worker says nothing.
        """
        names = sorted(set(host_of.values()))
        if not names:
            return {}
        with redis_errors():
            texts = self._redis.mget([_key(name) for name in names])
        problems: dict[str, ErrorRecord] = {}
        for host, text in zip(names, texts, strict=True):
            said = self._read(host, text).problems
            problems.update({name: said[name] for name in said if host_of.get(name) == host})
        return problems

    def containers(self, project: Project) -> tuple[str, ...] | None:
        """Return the names of a project's containers and services; None where its host has not told
        them.
        """
        with redis_errors():
            text = self._redis.get(_key(project.host))
        return self._read(project.host, text).containers.get(project.name)

    def _read(self, host: str, text: str | None) -> _Report:
        opened = self._signatures.open(_KIND, text)
        if opened is None or not opened.signer.works_for(host):
            return _Report()
        content = opened.content
        try:
            if content["host"] != host or abs(self._wall() * 1000 - content["at"]) > _OLDEST_MS:
                return _Report()
            problems = content["problems"].items()
            containers = content.get("containers", {})  # an older worker tells none
            return _Report(
                {name: ErrorRecord.from_json(row) for name, row in problems},
                {name: tuple(map(str, row)) for name, row in containers.items()},
            )
        except MALFORMED:
            return _Report()
