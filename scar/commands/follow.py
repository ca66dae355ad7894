"""`/docker_follow`: live log lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scar.commands.command import JobCommand, failure, waiting
from scar.document import Code, Document, Line
from scar.jobs.record import Job, JobState

_IN_A_MESSAGE = 3000


class Follow(JobCommand):
    """The newest lines in one message, for ten minutes or until the job is cancelled."""

    word = "docker_follow"
    kind = "follow"
    summary = "live log lines"
    rank = 15

    def arguments(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """`container`, by its exact name."""
        for name in raw:
            if name != "container":
                raise self.misuse(f"'{self.kind}' takes no argument '{str(name)[:64]}'")
        container = raw.get("container")
        if container is None:
            return {}
        if not isinstance(container, str) or not container:
            raise self.misuse("'container' is a container's name")
        return {"container": container[:128]}

    def view(self, job: Job) -> Document:
        """What fits of the newest lines."""
        if job.state.ended and job.state not in (JobState.SUCCEEDED, JobState.CANCELLED):
            return failure(job, "Following failed")
        if not job.output:
            return waiting(job) or Document.of("📜 Following...")
        text = "\n".join(job.output)[-_IN_A_MESSAGE:]
        heading = "📜 Followed until now" if job.state.ended else "📜 Following"
        return Document((Line(heading), Code(text)))


COMMAND = Follow()
