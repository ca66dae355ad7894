"""A project: one entry of the projects file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scar.json_object import JsonObject
from scar.role import Role


def workspace_resource(project: Project) -> str:
    """Return the name under which jobs lock the project's workspace; projects with the same
    workspace share it.
    """
    return f"workspace:{project.host}:{project.workspace}"


@dataclass(frozen=True)
class Project:
    """A workspace, a production folder and a Compose project, on one host.

    `containers` is in restart order; with `auto_detect` it may be empty, and `primary_container`
    None. `roles` lists the people (`telegram:12345`) who have at least that role on this project.
    `health_timeout` is in seconds. `remote_includes`: its Compose file may include files of other
    hosts. `zero_downtime`: which services are replaced without downtime: all that can be, none, or
    those named; None where the entry does not say. `bake`: a deploy that gets worse is undone
    without a person (`undo`), or none is looked after (`off`).
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
    remote_includes: bool = False
    zero_downtime: bool | tuple[str, ...] | None = None
    bake: str | None = None

    def to_json(self) -> JsonObject:
        """Return the entry of the projects file with defaults filled in, and with the project's
        `name`.
        """
        branch, standing_in = self.auto_deploy_branch, self.zero_downtime
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
            "remote_includes": self.remote_includes,
            "zero_downtime": list(standing_in) if isinstance(standing_in, tuple) else standing_in,
            "bake": self.bake,
        }

    @classmethod
    def from_json(cls, entry: JsonObject) -> Project:
        """Return the project of an entry that the schema has already validated."""
        containers = tuple(entry.get("containers", ()))
        roles = entry.get("roles") or {}
        standing_in = entry.get("zero_downtime")
        return cls(
            name=entry["name"],
            workspace=Path(entry["workspace"]),
            production=Path(entry["production"]),
            compose_project=entry.get("compose_project", entry["name"]),
            containers=containers,
            primary_container=entry.get("primary_container") or next(iter(containers), None),
            auto_detect=entry.get("auto_detect", False),
            host=entry.get("host", "default"),
            exclude=tuple(entry.get("exclude", ())),
            health_timeout=entry.get("health_timeout", 120),
            keep_releases=entry.get("keep_releases", 5),
            auto_deploy_branch=(entry.get("auto_deploy") or {}).get("branch"),
            alerts=tuple(entry.get("alerts") or ()),
            roles={Role.parse(word): tuple(people) for word, people in roles.items()},
            protected=tuple(entry.get("protected", ())),
            agent=entry.get("agent"),
            remote_includes=entry.get("remote_includes", False),
            zero_downtime=tuple(standing_in) if isinstance(standing_in, list) else standing_in,
            bake=entry.get("bake"),
        )
