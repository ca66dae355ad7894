"""Reads a status, log lines or a diff from workers for the page. Recent answers are shared by all
visitors who may see them, so many open pages cost one job.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from scar.api.auth import actor
from scar.api.context import context
from scar.api.jobs import submit
from scar.api.page.parts import parts
from scar.api.page.young_answers import YOUNG_SECONDS
from scar.errors import ScarError
from scar.jobs.record import Job
from scar.jobs.stream import ends
from scar.json_object import JsonObject
from scar.projects import Project

_WAIT_SECONDS = 3.0


@dataclass(frozen=True)
class Question:
    """What to read of a project. `not_before` is the time of its last change in milliseconds since
    the epoch; older answers are not used, nor those older than `reuse_seconds`.
    """

    kind: str
    project: Project
    args: JsonObject
    not_before: int = 0
    reuse_seconds: float = YOUNG_SECONDS

    @property
    def key(self) -> str:
        """The key under which the answer is cached."""
        return json.dumps([self.kind, self.project.name, dict(self.args)], sort_keys=True)


def ask(questions: Sequence[Question]) -> list[Job | ScarError]:
    """Return for each question its job, or the error that prevented it. Waits at most three seconds
    in all for the jobs to end.
    """
    most = min(_WAIT_SECONDS, context().services.settings.wait_seconds)
    deadline = time.monotonic() + most
    jobs = [_job(question) for question in questions]
    with context().waits.during(actor()):
        return [job if isinstance(job, ScarError) else _waited_for(job, deadline) for job in jobs]


def _job(question: Question) -> Job | ScarError:
    services, answers = context().services, parts().answers
    try:
        known = answers.get(question.key)
        job = services.ledger.get(known.id) if known else None
        is_young = known is not None and answers.is_young(known, question.reuse_seconds)
        if job and _counts(job, question, is_young=is_young):
            return job
        command = services.job_service.commands[question.kind]
        job = submit(command, question.project, question.args)
    except ScarError as error:
        return error
    answers.put(question.key, job.id)
    return job


def _counts(job: Job, question: Question, *, is_young: bool) -> bool:
    since_change = job.request.created_at >= question.not_before
    return since_change and (is_young or not job.state.ended)


def _waited_for(job: Job, deadline: float) -> Job:
    if job.state.ended or job.error is not None:
        return job
    left = deadline - time.monotonic()
    if left > 0:
        for event in context().events.follow(job.id, job.last_event, seconds=left):
            if event is not None and ends(event):
                break
    return context().services.job_service.get(job.id)
