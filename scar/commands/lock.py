"""`/docker_lock`: holds a project, or all of them, against changing jobs."""

from __future__ import annotations

from collections.abc import Sequence

from scar.access import Actor, Role
from scar.commands.command import Command, LocalCommand, Surroundings
from scar.document import Document
from scar.jobs.locks import EVERYTHING

ALL = "all"


class Lock(LocalCommand):
    """Deploy, restart and rollback are refused until it is released."""

    word = "docker_lock"
    usage = "[project|all] reason"
    summary = "hold a project against changes"
    role = Role.OPERATOR
    rank = 24

    def reply(self, actor: Actor, words: Sequence[str], around: Surroundings) -> Document:
        """Who may lock one project is its operator; an admin alone locks all."""
        project, reason = lock_target(self, actor, words, around)
        if not reason:
            raise self.misuse("A lock needs a reason")
        lock = around.locks.acquire(project, actor, " ".join(reason)[:200])
        named = None if project == EVERYTHING else project
        around.audit.write(actor, self.word, f"locked: {lock.reason}", project=named)
        what = "Every project is" if project == EVERYTHING else f"{project} is"
        return Document.of(
            f"🔒 {what} locked: {lock.reason}",
            f"Deploy, restart and rollback are refused until /docker_unlock {named or ALL}.",
        )


def lock_target(
    command: Command, actor: Actor, words: Sequence[str], around: Surroundings
) -> tuple[str, list[str]]:
    """The project that is meant, and the words that follow; whoever may not is refused."""
    first = words[0] if words else ""
    if first.lower() == ALL and ALL not in around.projects.projects:
        around.access.require(actor, Role.ADMIN, None)
        return EVERYTHING, list(words[1:])
    named = first in around.projects.projects
    project = around.projects.get(first) if named else around.default()
    around.access.require(actor, command.role, project)
    return project.name, list(words[1:] if named else words)


COMMAND = Lock()
