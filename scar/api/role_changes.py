"""Writes changes of `roles` in the projects file to the audit trail and the log."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from typing import cast

import structlog
from redis import Redis

from scar.access import Actor
from scar.audit import Audit
from scar.errors import ScarError
from scar.projects import ProjectsFile
from scar.redis_client import redis_errors

_KEY = "scar:roles"
_ACTOR = Actor("file", "projects", "projects file")
_log = structlog.get_logger(__name__)

Roles = Mapping[str, list[str]]
"""By project: `admin telegram:12345`, sorted."""


class RoleChanges:
    """A thread that compares the present roles with the last known ones every 2 seconds.

    The last known roles are on Redis, so that each change is reported once, by the process that
    sees it first, even if it was made while SCAR was stopped.
    """

    def __init__(
        self, redis: Redis, projects: ProjectsFile, audit: Audit, *, interval: float = 2.0
    ) -> None:
        self._redis = redis
        self._projects = projects
        self._audit = audit
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="role changes", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its present comparison."""
        self._stopped.set()

    def look(self) -> None:
        """Report what has changed since the last comparison of any process."""
        if self._projects.problem is not None:
            return  # a process that has just started may not have read any roles yet
        now = {
            name: sorted(f"{role} {who}" for role, people in p.roles.items() for who in people)
            for name, p in self._projects.projects.items()
        }
        text = json.dumps(now, sort_keys=True)
        with redis_errors():
            before = cast("str | None", self._redis.set(_KEY, text, get=True))
        if before is None or before == text:
            return
        for project, change in _differences(json.loads(before), now):
            _log.warning("roles changed in the projects file", project=project, change=change)
            self._audit.write(_ACTOR, f"roles: {change}", "changed", project=project)

    def _work(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                self.look()
            except ScarError as error:
                _log.warning("roles not compared", reason=error.message)
            except Exception:  # noqa: BLE001 (without this thread no change of roles is told)
                _log.exception("roles not compared")


def _differences(before: Roles, now: Roles) -> Iterator[tuple[str, str]]:
    """Yield each project whose roles differ, with what was added (`+`) and removed (`-`)."""
    for project in sorted({*before, *now}):
        old, new = set(before.get(project, ())), set(now.get(project, ()))
        signs = [f"+{word}" for word in sorted(new - old)]
        signs += [f"-{word}" for word in sorted(old - new)]
        if signs:
            yield project, ", ".join(signs)
