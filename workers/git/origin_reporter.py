"""Reports to Redis the origin repository of each workspace on this host."""

from __future__ import annotations

import threading

import structlog

from scar.errors import ScarError
from scar.project_origins import ProjectOrigins
from scar.projects import ProjectsFile
from scar.redis_client import connect
from scar.settings import Settings
from workers.git.commit import origin_of

_INTERVAL = 15.0
_log = structlog.get_logger(__name__)


class OriginReporter:
    """A thread that reads the workspaces' origins every 15 seconds.

    It is separate from the heartbeat, which must not be delayed by a workspace on a disk that
    hangs.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._projects = ProjectsFile.of(settings)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="origins", daemon=True)

    def start(self) -> None:
        """Start the thread that reports."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the report in progress."""
        self._stopped.set()

    def _work(self) -> None:
        origins = ProjectOrigins(connect(self._settings.effective_redis_url))
        while True:
            try:
                origins.report(self._origins())
            except ScarError as error:
                _log.warning("origins of workspaces not reported", reason=error.message)
            except Exception:  # noqa: BLE001 (without this thread GitHub knows no origin)
                _log.exception("origins of workspaces not reported")
            if self._stopped.wait(_INTERVAL):
                return

    def _origins(self) -> dict[str, str | None]:
        return {
            project.name: origin_of(project.workspace)
            for project in self._projects.projects.values()
            if project.host == self._settings.host
        }
