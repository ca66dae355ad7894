"""`/docker_unlock`: release a lock that `/docker_lock` has set."""

from __future__ import annotations

from collections.abc import Sequence

from scar.access import Actor, Role
from scar.commands.local_command import CommandContext, LocalCommand
from scar.commands.lock import ALL, lock_target, resource_of
from scar.document import Document


class UnlockCommand(LocalCommand):
    """Releases a lock. Everybody who may lock a project may also release another person's lock."""

    word = "docker_unlock"
    usage = "[project|all]"
    summary = "release a project that is locked"
    noun = "an unlock"
    examples = ("shop", "all")
    role = Role.OPERATOR
    rank = 25

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:
        actor, project, more = lock_target(self, actor, words, context)
        if more:
            context.projects.get(more[0])  # raises `project_not_found` for an unknown name
            raise self.misuse(f"/{self.word} takes one project")
        lock = context.locks.release(resource_of(project), actor)
        if lock is None:
            other = context.locks.of(resource_of(project))
            hint = [other.refusal().message, f"💡 {other.refusal().hint}"] if other else []
            return Document.of(f"🔓 {project or ALL} was not locked.", *hint)
        context.audit.write(actor, self.word, "released", project=project)
        return Document.of(
            f"🔓 {project or 'Every project'} is released.",
            f"It was locked by {lock.by} since {lock.at}: {lock.reason}",
        )


COMMAND = UnlockCommand()
