"""An alert: something that goes wrong with a container or a host, from its beginning to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.json_record import JsonRecord
from scar.projects import Project

CRITICAL = "critical"
WARNING = "warning"
HOST_AWAY = "host_away"
"""The rule of a host whose workers give no sign of life."""


@dataclass(frozen=True)
class ReleaseRef(JsonRecord):
    """A release that an alert names: the one after which it began, or the one to roll back to."""

    id: str
    at: Annotated[int, "Milliseconds since the epoch"]
    by: str
    commit: str | None = None


@dataclass(frozen=True)
class Alert(JsonRecord):
    """One alert. Times are milliseconds since the epoch, by the clock of the host.

    `project` and `container` are empty for what concerns the whole host. Alerts of one `group`
    began together and most likely have one cause. `version` grows with each change.
    """

    id: str
    group: str
    host: str
    project: str
    container: str
    service: str
    rule: Annotated[str, "`unhealthy`, `exited`, `out_of_memory`, `restart_loop`, `gone`, ..."]
    severity: Annotated[str, "`critical` or `warning`"]
    what: Annotated[str, "What is wrong, to be read after the thing's name"]
    why: Annotated[str, "What it was seen by"]
    opened_at: int
    changed_at: int
    version: int = 1
    count: Annotated[int, "How often it has happened since it began"] = 1
    lines: Annotated[tuple[str, ...], "The container's last log lines, masked"] = ()
    release: ReleaseRef | None = None
    rollback_to: Annotated[ReleaseRef | None, "The release before"] = None
    closed_at: Annotated[int | None, "When it had recovered; null while it has not"] = None

    @property
    def is_open(self) -> bool:
        """Whether the alert has not recovered."""
        return self.closed_at is None

    def is_of(self, project: Project | None) -> bool:
        """Return whether the alert is about the project and is from the project's own host: alerts
        of a worker count only for projects of its host.
        """
        return project is not None and (self.project, self.host) == (project.name, project.host)

    @property
    def thing(self) -> str:
        """The container or host that the alert is about: `shop/shop-web-1`, or a host's name."""
        return f"{self.project}/{self.container}" if self.container else self.host

    @property
    def name(self) -> str:
        """The container or host in words for a person: `shop/web`, or `Host alpha`."""
        if not self.container:
            return f"Host {self.host}"
        return f"{self.project}/{self.service or self.container}"
