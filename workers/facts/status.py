"""What runs in production, and whether it is what the workspace holds."""

from __future__ import annotations

from typing import Any

from workers.engine.containers import Container
from workers.managed import managed
from workers.work import Fact, Task


class Status(Fact):
    """One list call of the Engine, whatever the number of containers."""

    kind = "status"

    def read(self, task: Task) -> dict[str, Any]:
        """Containers, folders, and what a person should know beside."""
        project = task.project
        found = managed(task.containers, project)
        containers = [_container(c, c.name == found.primary) for c in found.containers]
        containers += [_missing(name, name == found.primary) for name in found.missing]
        return {
            "project": project.name,
            "containers": containers,
            "production": str(project.production),
            "workspace": str(project.workspace),
            "old_version": False,
            "workspace_dirty": False,
            "notices": [],
        }


def _container(found: Container, primary: bool) -> dict[str, Any]:
    return {
        "name": found.name,
        "service": found.service,
        "primary": primary,
        "state": found.state,
        "health": found.health,
        "uptime_seconds": found.uptime,
        "exit_code": found.exit_code,
        "ports": [str(port) for port in found.ports],
        "image": found.image,
        "old_version": False,
    }


def _missing(name: str, primary: bool) -> dict[str, Any]:
    return {
        "name": name,
        "service": None,
        "primary": primary,
        "state": "not found",
        "health": None,
        "uptime_seconds": None,
        "exit_code": None,
        "ports": [],
        "image": None,
        "old_version": False,
    }


WORK = Status()
