"""The screens of jobs: the latest that change something, and one with its question."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import islice

import structlog
from flask import Response, request
from flask.typing import ResponseReturnValue

from scar.access import Role
from scar.api.auth import actor, may_see, visible_job, visible_projects
from scar.api.context import context
from scar.api.page.rendering import page
from scar.api.page.spoken import Choice, choices, choices_of
from scar.api.page.views import may
from scar.chat.bake_message import with_bake
from scar.chat.job_view import view_job
from scar.commands.follow import KIND as FOLLOW
from scar.document import Button, Document, Line
from scar.errors import ErrorRecord, ScarError
from scar.jobs.bake import Bake, BakeBook
from scar.jobs.record import Job, JobState
from scar.projects import Project

_log = structlog.get_logger(__name__)
BAKE_BEGINS_MS = 20_000
_MOST = 30
_MOST_EVENTS = 500
_ASKS_TO_TYPE = "Type `yes` to "
_TAKEN_BACK = ("deploy", "rollback")


@dataclass(frozen=True)
class JobScreen:
    """A job as its screen shows it. `answers` are the buttons of its question, with the plan that
    they are for; `output` are the last lines that it wrote. `bakes`: it has ended, and is looked
    after for a while.
    """

    job: Job
    document: Document
    answers: tuple[Button, ...]
    choices: list[Choice]
    may_cancel: bool
    output: tuple[str, ...]
    bakes: bool

    @property
    def plan_hash(self) -> str:
        """The hash of the plan that the screen shows."""
        return self.job.plan_hash if self.answers else ""


def jobs() -> ResponseReturnValue:
    """The latest jobs that change something, newest first."""
    visible_projects()
    before = request.args.get("before") or None
    ledger = context().services.ledger
    latest = (job for job in ledger.recent(before=before, batch=60, changes=True) if may_see(job))
    rows = list(islice(latest, _MOST + 1))
    following = rows[_MOST - 1].id if len(rows) > _MOST else None
    return page("jobs.html", jobs=rows[:_MOST], following=following)


def job(job_id: str) -> ResponseReturnValue:
    """One job."""
    return show(readable_job(job_id))


def show(job: Job, status: int = 200, problem: ErrorRecord | None = None) -> Response:
    """Return the screen of a job; `problem` says why the visitor's action was refused."""
    screen = screen_of(replace(job, output=output_of(job)))
    return page("job.html", status, screen=screen, problem=problem)


def readable_job(job_id: str) -> Job:
    """Return a job that the visitor may see. With a lower role than the job's kind requires,
    visitors see only their own jobs.
    """
    job = visible_job(job_id)
    command = context().services.job_service.commands.get(job.request.kind)
    own = job.request.requested_by == actor()
    if own or job.request.changes or command is None or may(command.role, project_of(job)):
        return job
    raise ScarError("job_not_found", f"Job '{job_id[:40]}' not found", "Jobs lists the latest.")


def project_of(job: Job) -> Project | None:
    """Return the job's project; None if it has none, or it is no longer in the file."""
    return context().services.projects.projects.get(job.request.project or "")


def screen_of(job: Job) -> JobScreen:
    """Return what the screen of a job shows to the visitor; its output is that of `job`."""
    command = context().services.job_service.commands.get(job.request.kind)
    document = view_job(command, job) if command else Document.of(job.about)
    bake = _bake_of(job)
    document = with_bake(document, bake)
    role = command.role if command else Role.ADMIN
    asks = job.awaits_answer and may(role, project_of(job))
    answers = tuple(b for b in document.buttons if b.is_answer) if asks else ()
    own = job.request.requested_by == actor()
    follows = job.request.kind == FOLLOW
    may_cancel = may(role if own else max(role, Role.OPERATOR), project_of(job))
    return JobScreen(
        job=job,
        document=_without_typing(_without_code(document) if follows else document),
        answers=answers,
        choices=[*_undo(job, bake), *choices_of(document.buttons, project_of(job))],
        may_cancel=may_cancel and not job.state.ended and not answers,
        output=job.output if job.request.changes or follows else (),
        bakes=_may_bake(job, bake),
    )


def _may_bake(job: Job, bake: Bake | None) -> bool:
    """Return whether a deploy is looked after, or will be: a worker looks for new releases every
    three seconds.
    """
    if bake is not None:
        return not bake.ended
    done = job.state is JobState.SUCCEEDED and job.request.kind == "deploy"
    since_end = time.time() * 1000 - (job.finished_at or 0)
    return done and bool((job.result or {}).get("release")) and since_end < BAKE_BEGINS_MS


def _bake_of(job: Job) -> Bake | None:
    """Return the deploy's bake (what got worse after it); None if it has none."""
    services = context().services
    done = job.state is JobState.SUCCEEDED and job.request.kind in _TAKEN_BACK
    try:
        return BakeBook(services.redis, services.signatures).of(job) if done else None
    except ScarError as error:
        if error.code != "tampered":
            raise
        _log.warning("bake refused", job=job.id, reason=error.message)
        return None  # the job itself was verified


def _undo(job: Job, bake: Bake | None) -> list[Choice]:
    """Return the button that undoes the latest successful deploy or rollback. During its bake the
    document has that button already.
    """
    name = job.request.project
    done = job.state is JobState.SUCCEEDED and job.request.kind in _TAKEN_BACK
    if not done or not name or (bake and not bake.ended) or not _is_latest(job, name):
        return []
    return choices(project_of(job), ("↩️ Undo", f"/docker_rollback {name}"))


def _is_latest(job: Job, project: str) -> bool:
    ledger = context().services.ledger
    latest = ledger.recent(project, batch=20, changes=True)
    done = (other for other in latest if other.request.kind in _TAKEN_BACK)
    return next((other.id for other in done if other.state is JobState.SUCCEEDED), "") == job.id


def output_of(job: Job) -> tuple[str, ...]:
    """Return the last lines that the job had written by the event that `job` ends with."""
    after = max(0, job.last_event - _MOST_EVENTS)
    events = context().services.ledger.events(job.id, after, count=_MOST_EVENTS)
    shown = (event for event in events if event.id <= job.last_event)
    return tuple(event.data["line"] for event in shown if event.type == "output")


def _without_code(document: Document) -> Document:
    """Remove the code blocks, because the screen shows the output line by line."""
    blocks = tuple(block for block in document.blocks if isinstance(block, Line))
    return replace(document, blocks=blocks)


def _without_typing(document: Document) -> Document:
    """Remove the line that says what to type, because the screen has buttons."""
    blocks = tuple(
        Line(_cut(block.text)) if isinstance(block, Line) else block for block in document.blocks
    )
    return replace(document, blocks=blocks)


def _cut(text: str) -> str:
    kept, _, last = text.rpartition("\n")
    return kept.rstrip() if last.startswith(_ASKS_TO_TYPE) else text
