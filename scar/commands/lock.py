"""`/docker_lock`: prevent jobs from changing a project, or all projects."""

from __future__ import annotations

from collections.abc import Sequence

from scar.access import Actor, Role
from scar.commands.command import Command
from scar.commands.local_command import CommandContext, LocalCommand
from scar.document import Document
from scar.jobs.locks import EVERYTHING

ALL = "all"


class LockCommand(LocalCommand):
    """Locks a project: deploy, restart and rollback are refused until somebody unlocks it."""

    word = "docker_lock"
    usage = "[project|all] reason"
    summary = "hold a project against changes"
    role = Role.OPERATOR
    rank = 24

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:
        """Lock one project (which takes an operator), or all projects (which takes an admin)."""
        project, reason = lock_target(self, actor, words, context)
        if not reason:
            raise self.misuse("A lock needs a reason")
        lock = context.locks.acquire(project, actor, " ".join(reason)[:200])
        named = None if project == EVERYTHING else project
        context.audit.write(actor, self.word, f"locked: {lock.reason}", project=named)
        what = "Every project is" if project == EVERYTHING else f"{project} is"
        return Document.of(
            f"🔒 {what} locked: {lock.reason}",
            f"Deploy, restart and rollback are refused until /docker_unlock {named or ALL}.",
        )


def lock_target(
    command: Command, actor: Actor, words: Sequence[str], context: CommandContext
) -> tuple[str, list[str]]:
    """Return the project to lock or unlock (`EVERYTHING` for `all`), and the words after it.

    Raises `forbidden` if the actor may not lock it.
    """
    first = words[0] if words else ""
    if first.lower() == ALL and ALL not in context.projects.projects:
        context.access.require(actor, Role.ADMIN, None)
        return EVERYTHING, list(words[1:])
    named = first in context.projects.projects
    project = context.projects.get(first) if named else context.default()
    context.access.require(actor, command.role, project)
    return project.name, list(words[1:] if named else words)


COMMAND = LockCommand()
