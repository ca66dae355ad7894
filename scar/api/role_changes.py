"""Changes of `roles` in the projects file: told to the audit trail and to the log."""

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
    """A thread that compares the roles in force with those known before, every 2 seconds.

    Those known before are on Redis, so that a change is told once, by whichever process sees it
    first, and also where it was made while no part of SCAR ran.
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
        """Have the thread end after the look that is under way."""
        self._stopped.set()

    def look(self) -> None:
        """Tell what has changed since the last look of any process."""
        if self._projects.problem is not None:
            return  # what is in force may be the nothing of a process that has just started
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
