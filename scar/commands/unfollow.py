"""`/docker_unfollow`: end the live logs that this person has requested."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from scar.access import Actor
from scar.commands.follow import KIND
from scar.commands.job import latest_jobs
from scar.commands.local_command import CommandContext, LocalCommand
from scar.document import Document
from scar.errors import ScarError
from scar.jobs.record import Job


class UnfollowCommand(LocalCommand):
    """Ends the person's own live logs. `/docker_cancel` ends those of others."""

    word = "docker_unfollow"
    usage = "[project]"
    summary = "end your live log lines"
    examples = ("", "shop")
    rank = 16

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:
        """Cancel the person's own follows, of the project that is named or of all."""
        if len(words) > 1:
            raise self.misuse(f"/{self.word} takes one project")
        latest = latest_jobs(actor, [word.partition("/")[0] for word in words], context)
        ended = [job for job in latest if _is_own_follow(job, actor) and _end(job, actor, context)]
        if not ended:
            return Document.of("You follow no log here.", "💡 /docker_follow begins.")
        names = ", ".join(dict.fromkeys(_shown(job) for job in ended))
        return Document.of(f"⏹️ No longer following {names}.")


def _is_own_follow(job: Job, actor: Actor) -> bool:
    request = job.request
    return request.kind == KIND and request.requested_by == actor and not job.state.ended


def _end(job: Job, actor: Actor, context: CommandContext) -> bool:
    with suppress(ScarError):  # it has just ended
        context.cancel(actor, job.id)
        return True
    return False


def _shown(job: Job) -> str:
    step = job.step("following")
    return (step and step.detail) or job.request.project or ""


COMMAND = UnfollowCommand()
