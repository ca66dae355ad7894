"""`/docker_follow`: show new log lines as they are written."""

from __future__ import annotations

from scar.commands.container_argument import container_argument
from scar.commands.job_command import JobCommand
from scar.commands.notices import failure, waiting
from scar.document import Code, Document, Line
from scar.jobs.record import Job, JobState
from scar.json_object import JsonObject

_MOST_CHARACTERS = 3000


class FollowCommand(JobCommand):
    """Shows the newest log lines in one message, for ten minutes or until the job is cancelled."""

    word = "docker_follow"
    kind = "follow"
    summary = "live log lines"
    rank = 15

    def arguments(self, raw: JsonObject) -> JsonObject:
        """Return the checked argument `container`, if it is given."""
        self.require_only(raw, "container")
        return {**container_argument(self, raw)}

    def view(self, job: Job) -> Document:
        """Return as many of the newest log lines as fit into a message."""
        if job.state.ended and job.state not in (JobState.SUCCEEDED, JobState.CANCELLED):
            return failure(job, "Following failed")
        if not job.output:
            return waiting(job) or Document.of("📜 Following...")
        text = "\n".join(job.output)[-_MOST_CHARACTERS:]
        heading = "📜 Followed until now" if job.state.ended else "📜 Following"
        return Document((Line(heading), Code(text)))


COMMAND = FollowCommand()
