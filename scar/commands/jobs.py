"""`/jobs`: the latest jobs and their states."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice

from scar.access import Actor
from scar.commands.local_command import CommandContext, LocalCommand
from scar.commands.text_format import uptime
from scar.document import Document
from scar.jobs.record import Job, JobState

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


class JobsCommand(LocalCommand):
    """Lists the ten latest jobs of the projects that the person may see."""

    word = "jobs"
    usage = "[project]"
    summary = "the latest jobs"
    rank = 31

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:
        projects = context.projects.projects
        name = context.projects.get(words[0]).name if words else None
        allowed: set[str | None] = {
            p.name for p in projects.values() if context.access.allows(actor, self.role, p)
        }
        if not allowed:
            context.access.require(actor, self.role, None)
        if context.access.role_of(actor, None) is not None:
            allowed.add(None)
        latest = context.ledger.recent(name, batch=50)
        jobs = list(islice((j for j in latest if j.request.project in allowed), _MOST))
        if not jobs:
            return Document.of("🗂️ Jobs", "None yet.")
        return Document.of("🗂️ Jobs, newest first", *[_line(job) for job in jobs])


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
