"""The first screen: all projects that the visitor may see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from flask.typing import ResponseReturnValue

from scar.access import Role
from scar.alerts.alert import Alert
from scar.api.auth import actor, known_everywhere, visible_projects
from scar.api.context import context
from scar.api.page.open_alerts import HOSTS, open_alerts
from scar.api.page.reads import Question, ask
from scar.api.page.rendering import page
from scar.api.page.young_answers import YOUNG_SECONDS
from scar.errors import ErrorRecord, ScarError
from scar.jobs.record import Job, JobState
from scar.jobs.results.status import StatusResult
from scar.projects import Project

_HEALTHY = (None, "healthy")


@dataclass(frozen=True)
class ProjectRow:
    """A project on the first screen. `health` is one of `well`, `starting`, `ill`, `new` (never
    deployed) and `unknown`; `problem` says why nothing is known.
    """

    project: Project
    status: StatusResult | None
    health: str
    problem: ErrorRecord | None
    latest: Job | None
    alerts: Sequence[Alert] = ()

    @property
    def running(self) -> Job | None:
        """The unfinished job that changes the project or awaits confirmation."""
        return self.latest if self.latest and not self.latest.state.ended else None


def projects() -> ResponseReturnValue:
    """All projects: health, release, whether production has the newest code, the running job."""
    problem = context().services.projects.problem if known_everywhere() else None
    of_hosts = open_alerts().get(HOSTS, ())
    return page("projects.html", rows=project_rows(), problem=problem, host_alerts=of_hosts)


def project_rows(
    reuse_seconds: Callable[[str], float] = lambda _: YOUNG_SECONDS,
) -> list[ProjectRow]:
    """Return one row for each project that the visitor may see. `reuse_seconds` says how old the
    answer about a project may be.
    """
    visible, alerts = visible_projects(), open_alerts()
    latest = {name: latest_change(name) for name in visible}
    questions = [
        status_of(project, latest[name], alerts.get(name, ()), reuse_seconds(name))
        for name, project in visible.items()
    ]
    return [
        _row(project, answer, latest[project.name], alerts.get(project.name, ()))
        for project, answer in zip(visible.values(), ask(questions), strict=True)
    ]


def status_of(
    project: Project,
    latest: Job | None,
    alerts: Sequence[Alert],
    reuse_seconds: float = YOUNG_SECONDS,
) -> Question:
    """Return the question for a project's status, which must be newer than its latest change, and
    is asked often while a job changes it.
    """
    if latest is not None and not latest.state.ended:
        reuse_seconds = YOUNG_SECONDS
    changes = (changed_at(latest), *(alert.changed_at for alert in alerts))
    return Question("status", project, {}, max(changes), reuse_seconds)


def changed_at(latest: Job | None) -> int:
    """Return when a project's latest job has changed it last."""
    return (latest.finished_at or 0) if latest else 0


def latest_change(name: str) -> Job | None:
    """Return the latest job of a project that changes something."""
    return next(islice(context().services.ledger.recent(name, batch=20, changes=True), 1), None)


def may(role: Role, project: Project | None) -> bool:
    """Return whether the visitor has a role on a project."""
    return context().services.access.allows(actor(), role, project)


def health_of(status: StatusResult | None) -> str:
    """Return a project's health as one word."""
    if status is None:
        return "unknown"
    if not status.deployed:
        return "new"
    containers = status.containers
    if any(c.health == "starting" for c in containers):
        return "starting"
    well = bool(containers) and all(
        c.state == "running" and c.health in _HEALTHY for c in containers
    )
    return "well" if well else "ill"


def result_of(answer: Job | ScarError) -> tuple[Job | None, ErrorRecord | None]:
    """Return the successful job, or the error; neither while the job still runs."""
    if isinstance(answer, ScarError):
        return None, answer.record()
    if answer.state is JobState.SUCCEEDED:
        return answer, None
    return None, answer.error


def _row(
    project: Project, answer: Job | ScarError, latest: Job | None, alerts: Sequence[Alert]
) -> ProjectRow:
    job, problem = result_of(answer)
    status = job.read_result(StatusResult) if job else None
    return ProjectRow(project, status, health_of(status), problem, latest, alerts)
