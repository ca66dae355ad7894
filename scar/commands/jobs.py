"""`/jobs`: the latest jobs and their states."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from scar.access import Actor
from scar.commands.local_command import CommandContext, LocalCommand
from scar.commands.text_format import uptime
from scar.document import Button, Document
from scar.jobs.job_id import is_job_id
from scar.jobs.record import Job, JobState
from scar.projects import Project

_MOST = 10
_ICON = {
    JobState.AWAITING_CONFIRMATION: "❓",
    JobState.QUEUED: "⏳",
    JobState.RUNNING: "🔄",
    JobState.SUCCEEDED: "✅",
    JobState.FAILED: "❌",
    JobState.ROLLED_BACK: "↩️",
    JobState.CANCELLED: "✖️",
    JobState.EXPIRED: "⌛",
}


_FAILED_WORD = "failed"
_FAILED = (JobState.FAILED, JobState.ROLLED_BACK)
_MOST_READ = 2000
"""How many jobs are searched for those of one page."""


class NamedProjects(Protocol):
    """Anything that looks up a project by its name."""

    def get(self, name: str) -> Project:
        """Return the project; raise `project_not_found`."""


@dataclass(frozen=True)
class JobFilter:
    """Which jobs are listed: of one project, only those that failed, only those before an id."""

    project: str | None = None
    failed: bool = False
    before: str | None = None

    @classmethod
    def of(cls, words: Sequence[str], projects: NamedProjects) -> JobFilter:
        """Parse `shop failed 01J...` in any order. Raises `project_not_found`."""
        failed = _FAILED_WORD in words
        rest = [word for word in words if not (failed and word == _FAILED_WORD)]
        ids = [word for word in rest if is_job_id(word)]
        names = [word for word in rest if not is_job_id(word)]
        if len(ids) > 1 or len(names) > 1:
            raise COMMAND.misuse("/jobs takes a project, `failed`, and a job to go on from")
        name = projects.get(names[0]).name if names else None
        return cls(name, failed, ids[0].upper() if ids else None)

    def takes(self, job: Job) -> bool:
        """Return whether the job passes the filter. `project` and `before` are not checked, since
        the index is read by them.
        """
        return not self.failed or job.state in _FAILED

    def after(self, job: Job) -> str:
        """Return the command that lists the jobs older than `job`."""
        words = ("/jobs", self.project, _FAILED_WORD if self.failed else None, job.id)
        return " ".join(word for word in words if word)


class JobsCommand(LocalCommand):
    """Lists the ten latest jobs of the projects that the person may see, and offers older ones."""

    word = "jobs"
    usage = "[project] [failed]"
    summary = "the latest jobs, or those that failed"
    examples = ("", "shop", "failed", "shop failed")
    rank = 31

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:
        projects = context.projects.projects
        wanted = JobFilter.of(words, context.projects)
        allowed: set[str | None] = {
            p.name for p in projects.values() if context.access.allows(actor, self.role, p)
        }
        if not allowed:
            context.access.require(actor, self.role, None)
        if context.access.role_of(actor, None) is not None:
            allowed.add(None)
        latest = context.ledger.recent(wanted.project, before=wanted.before, batch=50)
        searched = islice(latest, _MOST_READ)
        seen = (j for j in searched if j.request.project in allowed and wanted.takes(j))
        return _page(list(islice(seen, _MOST + 1)), wanted)


def _page(jobs: Sequence[Job], wanted: JobFilter) -> Document:
    """Return the first jobs, and a button for older ones."""
    what = f"Jobs of {wanted.project}" if wanted.project else "Jobs"
    what += " that failed" if wanted.failed else ""
    if not jobs:
        return Document.of(f"🗂️ {what}", "None older." if wanted.before else "None yet.")
    shown = jobs[:_MOST]
    page = Document.of(f"🗂️ {what}, newest first", *[_line(job) for job in shown])
    if len(jobs) == len(shown):
        return page
    return page.with_buttons(Button("⬇️ Older", "older", wanted.after(shown[-1])))


def _line(job: Job) -> str:
    request = job.request
    ago = uptime(max(0.0, time.time() - request.created_at / 1000))
    running = next((step for step in job.steps if step.state == "running"), None)
    at = f" ({running.title})" if running else ""
    who = request.requested_by
    return (
        f"{_ICON[job.state]} {job.about}: {job.state.value}{at}, "
        f"{who.name} ({who.frontend}), {ago} ago, /job_{job.id}"
    )


COMMAND = JobsCommand()
