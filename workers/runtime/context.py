"""The context with which a handler runs one job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog

from scar.alerts.alert import Alert
from scar.errors import ScarError
from scar.jobs.locks import Locks
from scar.jobs.request import Request
from scar.json_object import JsonObject
from scar.projects import Project
from scar.settings import Settings
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.runtime.masker import Masker
from workers.runtime.project_secrets import container_secrets, project_secrets
from workers.runtime.reporter import JobReporter
from workers.runtime.step_reporter import StepReporter

_log = structlog.get_logger(__name__)


class JobContext:
    """The request, the project and the connections of one job.

    `attempt` counts from 1. `begun_at` is when the first attempt began, in seconds since the epoch,
    and `resumed` is whether there was an earlier attempt; both are from this host's job log.
    `position_before` reads the position that an interrupted attempt has stored. `alerts` returns
    the open and recently recovered alerts of every host. `steps` reports the job's progress,
    `masker` masks secrets in text.
    """

    def __init__(
        self,
        request: Request,
        project: Project | None,
        settings: Settings,
        engine: Engine,
        containers: Containers,
        reporter: JobReporter,
        locks: Locks,
        *,
        attempt: int = 1,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.request = request
        self._project = project
        self.settings = settings
        self.engine = engine
        self.containers = containers
        self._reporter = reporter
        self.locks = locks
        self.attempt = attempt
        self.begun_at = 0.0
        self.resumed = False
        self.position_before: Callable[[], JsonObject | None] = lambda: None
        self.alerts: Callable[[], Sequence[Alert]] = lambda: ()
        self.wall = wall
        secrets = project_secrets(project) if project else ()
        self.masker = Masker((*settings.secret_values(), *secrets), self._container_secrets)
        self.steps = StepReporter(reporter, self.masker, wall)

    @property
    def project(self) -> Project:
        """The project of the job. Must not be used by a kind of job that has no project."""
        assert self._project is not None
        return self._project

    @property
    def holder(self) -> str:
        """A description of this job, for the error of another job that waits for its lock."""
        actor = self.request.requested_by
        since = time.strftime("%H:%M:%S", time.gmtime(self.request.created_at / 1000))
        return (
            f"{self.request.kind} {self.request.id} of {actor.name} ({actor.frontend}), "
            f"since {since} UTC"
        )

    @property
    def folder(self) -> Path:
        """The project's folder in `SCAR_STATE_DIR`."""
        return self.settings.state_dir / "projects" / self.project.name

    def check(self) -> None:
        """Return if the job may continue; must be called before each side effect.

        Raises `cancelled`, or `JobLost` if another worker has claimed the job.
        """
        self._reporter.check()

    def refuse_cancellation(self) -> None:
        """Make later cancellations ineffective, because the job has reached its point of no
        return.
        """
        self._reporter.refuse_cancellation()

    @property
    def cancelled_too_late(self) -> bool:
        """Whether somebody tried to cancel the job after its point of no return."""
        return self._reporter.cancelled_too_late

    def scar_error(self, error: Exception) -> ScarError:
        """Return a `ScarError` unchanged; log any other exception, and return an `internal`
        error that refers to the log.
        """
        if isinstance(error, ScarError):
            return error
        _log.error("job failed unexpectedly", job=self.request.id, exc_info=error)
        return ScarError(
            "internal",
            f"{type(error).__name__} while doing {self.request.kind}",
            f"SCAR's log has the details under job {self.request.id}. Please report this.",
        )

    def _container_secrets(self) -> Iterator[str]:
        if self._project:
            yield from container_secrets(self._project, self.containers)
