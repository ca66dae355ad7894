"""Reads the details of an alert: the last log lines, masked, and the releases."""

from __future__ import annotations

from pathlib import Path

import structlog

from scar.alerts.alert import ReleaseRef
from scar.errors import ScarError
from scar.projects import Project
from scar.redaction import secret_values
from workers.engine.containers import Containers
from workers.engine.logs import ContainerLogs
from workers.engine.text import shortened
from workers.runtime.masker import Masker
from workers.runtime.project_secrets import project_secrets
from workers.state.release_refs import release_refs

_LINES = 8
_LONGEST_LINE = 300
_LOG_BYTES = 256 * 1024
_log = structlog.get_logger(__name__)


class AlertDetails:
    """Reads from the Engine and from this host's disk. Details that cannot be read are logged and
    left out of the alert. `secrets` are those in SCAR's own settings.
    """

    def __init__(
        self,
        state_dir: Path,
        containers: Containers,
        logs: ContainerLogs,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self._state_dir = state_dir
        self._containers = containers
        self._logs = logs
        self._secrets = secrets

    def releases(self, project: Project) -> tuple[ReleaseRef, ...]:
        """Return the newest releases of a project, at most two, newest first."""
        try:
            return release_refs(self._state_dir / "projects" / project.name, 2)
        except ScarError as error:
            _log.warning("releases not known", project=project.name, reason=error.message)
            return ()

    def masked(self, project: Project, text: str, container_id: str) -> str:
        """Return a text with the secrets of the project and the container masked."""
        return self._masker(project, container_id).text(text)

    def last_lines(self, project: Project, container_id: str) -> tuple[str, ...]:
        """Return the last lines of a container's log, masked; none if they cannot be read."""
        masker = self._masker(project, container_id)
        try:
            tail = self._logs.tail(container_id, _LINES, memory_bytes=_LOG_BYTES)
        except ScarError as error:
            if error.code != "container_not_found":
                _log.warning("log not read", container=container_id[:12], reason=error.message)
            return ()
        masked = (masker.line(line.text) for line in tail.lines)
        return tuple(shortened(line)[:_LONGEST_LINE] for line in masked)

    def _masker(self, project: Project, container_id: str) -> Masker:
        masker = Masker((*self._secrets, *project_secrets(project)))
        if not container_id:
            return masker
        try:
            masker.hide(secret_values(self._containers.inspect(container_id).environment))
        except ScarError as error:
            if error.code != "container_not_found":
                _log.warning("not every secret is known", reason=error.message)
        return masker
