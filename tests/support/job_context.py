"""Contexts with which tests call handlers directly; their reports are recorded instead of sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from scar.access import Actor
from scar.jobs.job_id import new_job_id
from scar.jobs.locks import Locks
from scar.jobs.request import Request
from scar.jobs.step import Progress, Step
from scar.projects import Project
from scar.settings import Settings
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.runtime.context import JobContext
from workers.runtime.reporter import JobReporter


class RecordedReport:
    """Records what a job reports."""

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self.check = check
        self.progressed: list[tuple[str, Progress]] = []
        self.all_steps: list[Step] = []
        self.lines: list[Any] = []
        self.positions: list[Any] = []

    def steps(self, _steps: tuple[Step, ...], changed: Step) -> None:
        self.all_steps.append(changed)

    def progress(self, step: str, progress: Progress) -> None:
        self.progressed.append((step, progress))

    def output(self, lines: Sequence[str], position: Any) -> None:
        for line in lines:
            self.emit("output", {"line": line})
        self.keep_position(position)

    def await_room(self, _seconds: float) -> bool:
        return True

    def keep_position(self, position: Any) -> None:
        self.positions.append(position)

    def emit(self, kind: str, data: Any) -> None:
        self.lines.append((kind, data))


def job_context(
    kind: str,
    args: Mapping[str, Any],
    settings: Settings,
    *,
    project: Project | None = None,
    told: RecordedReport | None = None,
    attempt: int = 1,
    id: str | None = None,
) -> JobContext:
    """Return a context as the runner creates it."""
    request = Request(
        id=id or new_job_id(),
        kind=kind,
        project=project.name if project else None,
        host=settings.host,
        args=args,
        requested_by=Actor("schedule", "test", "test"),
        asks=False,
        changes=True,
        created_at=0,
        expires_at=0,
    )
    engine = Engine(None)
    report = cast("JobReporter", told or RecordedReport())
    locks = cast("Locks", None)
    containers = Containers(engine)
    return JobContext(
        request, project, settings, engine, containers, report, locks, attempt=attempt
    )


def settings_in(folder: Path, **more: Any) -> Settings:
    """Return settings with a workspace folder and a state folder in `folder`."""
    (folder / "ws").mkdir(parents=True, exist_ok=True)
    projects = folder / "ws" / ".scar-projects.json"
    return Settings(projects_file=projects, state_dir=folder / "state", **more)
