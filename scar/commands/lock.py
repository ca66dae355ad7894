"""`/docker_lock`: prevent jobs from changing a project, or all projects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scar.access import Actor, Role
from scar.commands.command import Command
from scar.commands.local_command import CommandContext, LocalCommand
from scar.document import Document

ALL = "all"


class LockCommand(LocalCommand):
    """Locks a project: deploy, restart and rollback are refused until somebody unlocks it."""

    word = "docker_lock"
    usage = "[project|all] reason"
    summary = "hold a project against changes"
    noun = "a lock"
    examples = ("shop the database is being moved", "all nobody deploys on Friday night")
    role = Role.OPERATOR
    rank = 24

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:
        """Lock one project (which takes an operator), or all projects (which takes an admin)."""
        actor, project, reason = lock_target(self, actor, words, context)
        if not reason:
            raise self.misuse("A lock needs a reason")
        lock = context.locks.acquire(resource_of(project), actor, " ".join(reason)[:200])
        context.audit.write(actor, self.word, f"locked: {lock.reason}", project=project)
        return Document.of(
            f"🔒 {project or 'Every project'} is locked: {lock.reason}",
            f"Deploy, restart and rollback are refused until /docker_unlock {project or ALL}.",
        )


def lock_target(
    command: Command, actor: Actor, words: Sequence[str], context: CommandContext
) -> tuple[Actor, str | None, list[str]]:
    """Return the actor with their role, the project to lock (None for all of them), and the
    remaining words. Raises `forbidden` if the actor may not lock it.
    """
    first = words[0] if words else ""
    if first.lower() == ALL and ALL not in context.projects.projects:
        role = context.access.require(actor, Role.ADMIN, None, what=f"{command.noun} of all")
        return replace(actor, role=role), None, list(words[1:])
    named = first in context.projects.projects
    project = context.projects.get(first) if named else context.default()
    role = context.access.require(actor, command.role, project, what=command.noun)
    return replace(actor, role=role), project.name, list(words[1:] if named else words)


def resource_of(project: str | None) -> str:
    """Return the name of the lock of a project, or of the lock of all projects."""
    from scar.jobs.locks import EVERYTHING  # it imports redis, which would slow down the shell

    return project or EVERYTHING


COMMAND = LockCommand()
