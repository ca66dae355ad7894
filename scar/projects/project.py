"""One entry of the projects file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scar.role import Role


def workspace_resource(project: Project) -> str:
    """What a job holds that changes the project's workspace, which projects may share."""
    return f"workspace:{project.host}:{project.workspace}"


@dataclass(frozen=True)
class Project:
    """A workspace, a production folder and a Compose project, on one host.

    `containers` is in restart order, and empty where `auto_detect` finds them; then
    `primary_container` may be None. `roles` names people as `telegram:12345`, who have at least
    that role on this project. `health_timeout` is in seconds.
    """

    name: str
    workspace: Path
    production: Path
    compose_project: str
    containers: tuple[str, ...] = ()
    primary_container: str | None = None
    auto_detect: bool = False
    host: str = "default"
    exclude: tuple[str, ...] = ()
    health_timeout: int = 120
    keep_releases: int = 5
    auto_deploy_branch: str | None = None
    alerts: tuple[str, ...] = ()
    roles: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    protected: tuple[str, ...] = ()
    agent: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry as the projects file has it, defaults filled in, with its `name`."""
        branch = self.auto_deploy_branch
        return {
            "name": self.name,
            "workspace": str(self.workspace),
            "production": str(self.production),
            "compose_project": self.compose_project,
            "containers": list(self.containers),
            "primary_container": self.primary_container,
            "auto_detect": self.auto_detect,
            "host": self.host,
            "exclude": list(self.exclude),
            "health_timeout": self.health_timeout,
            "keep_releases": self.keep_releases,
            "auto_deploy": None if branch is None else {"branch": branch},
            "alerts": list(self.alerts),
            "roles": {str(role): list(people) for role, people in self.roles.items()},
            "protected": list(self.protected),
            "agent": self.agent,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Project:
        """The reverse of `to_json`. It takes what it is given: rules are the schema's."""
        containers = tuple(found.get("containers", ()))
        roles = found.get("roles") or {}
        return cls(
            name=found["name"],
            workspace=Path(found["workspace"]),
            production=Path(found["production"]),
            compose_project=found.get("compose_project", found["name"]),
            containers=containers,
            primary_container=found.get("primary_container") or next(iter(containers), None),
            auto_detect=found.get("auto_detect", False),
            host=found.get("host", "default"),
            exclude=tuple(found.get("exclude", ())),
            health_timeout=found.get("health_timeout", 120),
            keep_releases=found.get("keep_releases", 5),
            auto_deploy_branch=(found.get("auto_deploy") or {}).get("branch"),
            alerts=tuple(found.get("alerts") or ()),
            roles={Role.parse(word): tuple(people) for word, people in roles.items()},
            protected=tuple(found.get("protected", ())),
            agent=found.get("agent"),
        )
