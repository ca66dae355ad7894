"""The screens of one project: what runs, its logs, what a deploy would change, its releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from scar.access import Role
from scar.api.auth import actor, visible_project
from scar.api.context import context
from scar.api.page import gate
from scar.api.page.live import digest
from scar.api.page.open_alerts import ShownAlert, open_alerts, remedies, shown_alerts
from scar.api.page.reads import Question, ask
from scar.api.page.rendering import page
from scar.api.page.spoken import Choice, choices, choices_of
from scar.api.page.views import (
    changed_at,
    health_of,
    latest_change,
    may,
    result_of,
    status_of,
)
from scar.api.page.young_answers import YOUNG_SECONDS
from scar.commands.logs import MOST_LINES
from scar.errors import ErrorRecord, ScarError
from scar.jobs.locks import Lock
from scar.jobs.record import Job
from scar.jobs.results.logs import LogTail
from scar.jobs.results.status import StatusResult
from scar.projects import Project

PARTS = {
    "logs": "Logs",
    "diff": "Changes",
    "releases": "Releases",
    "stats": "Figures",
    "kept": "Kept files",
}
_KINDS = {"diff": "diff", "releases": "history", "kept": "kept"}
_LINES = 200


@dataclass(frozen=True)
class ProjectScreen:
    """A project as its screen shows it: what changes while the screen is open."""

    project: Project
    status: StatusResult | None
    problem: ErrorRecord | None
    latest: Job | None
    lock: Lock | None
    alerts: Sequence[ShownAlert]
    choices: Sequence[Choice]

    @property
    def health(self) -> str:
        """How it is, in a word."""
        return health_of(self.status)

    @property
    def pending(self) -> bool:
        """Whether its host has not answered yet."""
        return self.status is None and self.problem is None


def project(name: str) -> ResponseReturnValue:
    """A project: its containers, its lock, its latest job, and what can be done with it."""
    known = visible_project(name)
    may_lock = may(Role.OPERATOR, known)
    screen = project_screen(name)
    drawn = draw(screen, gate.csrf())
    return page(
        "project.html",
        screen=screen,
        drawn={part: Markup(html) for part, html in drawn.items()},
        shown=digest(drawn),
        may_lock=may_lock,
        parts=parts_of(known),
    )


def draw(screen: ProjectScreen, csrf: str) -> dict[str, str]:
    """Return the parts of a project's screen that change while it is open, as HTML."""
    return {
        part: render_template(f"project_{part}.html", screen=screen, csrf=csrf)
        for part in ("state", "actions")
    }


def project_screen(name: str, reuse_seconds: float = YOUNG_SECONDS) -> ProjectScreen:
    """Return what the screen of a project shows to the visitor, made of a status that is at most
    `reuse_seconds` old.
    """
    known = visible_project(name)
    latest = latest_change(name)
    alerts = open_alerts().get(name, ())
    job, problem = result_of(ask([status_of(known, latest, alerts, reuse_seconds)])[0])
    status = job.read_result(StatusResult) if job else None
    running = latest if latest and not latest.state.ended else None
    lock = context().services.command_context.locks.of(name)
    possible = [] if running or lock else _changes(known, status)
    mending = remedies(alerts, known) if possible else []
    unlock = choices(known, ("🔓 Unlock", f"/docker_unlock {name}")) if lock else []
    return ProjectScreen(
        project=known,
        status=status,
        problem=problem,
        latest=latest,
        lock=lock,
        alerts=shown_alerts(alerts, known),
        choices=[*mending, *possible, *unlock],
    )


def part(name: str, part: str) -> ResponseReturnValue:
    """A screen that shows the answer of one command: `diff`, `releases` or `kept`."""
    known = visible_project(name)
    kind = _KINDS[part]
    command = context().services.job_service.commands[kind]
    context().services.access.require(actor(), command.role, known, what=PARTS[part])
    answer = ask([Question(kind, known, {}, changed_at(latest_change(name)))])[0]
    job, problem = result_of(answer)
    document = command.view(job) if job else None
    return page(
        "part.html",
        project=known,
        part=part,
        title=PARTS[part],
        document=document,
        problem=problem,
        pending=job is None and problem is None,
        choices=choices_of(document.buttons, known) if document else [],
        parts=parts_of(known),
    )


def logs(name: str) -> ResponseReturnValue:
    """The last log lines of a container; those with certain words, if some are asked for."""
    known = visible_project(name)
    container, words = request.args.get("container", ""), request.args.get("search", "")[:200]
    lines = min(max(request.args.get("lines", _LINES, type=int), 1), MOST_LINES)
    latest = latest_change(name)
    args = {"lines": lines, **({"container": container} if container else {})}
    asked = Question("logs", known, args, changed_at(latest))
    answer, state = ask([asked, status_of(known, latest, ())])
    job, problem = result_of(answer)
    tail = job.read_result(LogTail) if job else None
    named = tail.container if tail else container
    return page(
        "logs.html",
        project=known,
        tail=tail,
        shown_lines=_matching(tail.lines if tail else (), words),
        lines=lines,
        search=words,
        container=named,
        containers=_containers(known, state, named),
        problem=problem,
        pending=job is None and problem is None,
        choices=choices(known, ("▶️ Follow", f"/docker_follow {name}/{named}" if named else "")),
        parts=parts_of(known),
    )


def _changes(project: Project, status: StatusResult | None) -> list[Choice]:
    """Return the buttons of a project, the one that suits its state first."""
    name = project.name
    deploy = ("🚀 Deploy", f"/docker_deploy {name}")
    if status is not None and not status.deployed:
        return choices(project, deploy)
    restart = ("🔄 Restart", f"/docker_restart {name}")
    well = status is not None and health_of(status) in ("well", "starting")
    newer = status is None or status.old_version
    ordered = [deploy, restart] if newer or well else [restart, deploy]
    rollback = ("⏪ Roll back", f"/docker_rollback {name}")
    return choices(project, *ordered, rollback)


def parts_of(project: Project) -> dict[str, str]:
    """Return the parts of a project that the visitor may see."""
    commands = context().services.job_service.commands
    return {
        part: title
        for part, title in PARTS.items()
        if may(commands[_KINDS.get(part, part)].role, project)
    }


def _matching(lines: Sequence[str], words: str) -> list[str]:
    return [line for line in lines if words.lower() in line.lower()]


def _containers(project: Project, state: Job | ScarError, named: str) -> list[str]:
    """Return the names of the containers that a visitor can choose, as far as they are known."""
    job, _ = result_of(state)
    running = job.read_result(StatusResult).containers if job else ()
    names = [c.name for c in running] or list(project.containers)
    return names if not named or named in names else [named, *names]
