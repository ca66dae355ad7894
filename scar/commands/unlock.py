"""`/docker_unlock`: releases what `/docker_lock` locks."""

from __future__ import annotations

from collections.abc import Sequence

from scar.access import Actor, Role
from scar.commands.command import LocalCommand, Surroundings
from scar.commands.lock import ALL, lock_target
from scar.document import Document
from scar.jobs.locks import EVERYTHING


class Unlock(LocalCommand):
    """Whoever may lock may release, whoever locked."""

    word = "docker_unlock"
    usage = "[project|all]"
    summary = "release a project that is locked"
    role = Role.OPERATOR
    rank = 25

    def reply(self, actor: Actor, words: Sequence[str], around: Surroundings) -> Document:
        """What was released."""
        project, more = lock_target(self, actor, words, around)
        if more:
            around.projects.get(more[0])  # a name that is not known is told as such
            raise self.misuse(f"/{self.word} takes one project")
        lock = around.locks.release(project)
        if lock is None:
            other = around.locks.of(project)
            hint = [other.refusal().message, f"💡 {other.refusal().hint}"] if other else []
            named = ALL if project == EVERYTHING else project
            return Document.of(f"🔓 {named} was not locked.", *hint)
        everything = project == EVERYTHING
        around.audit.write(actor, self.word, "released", project=None if everything else project)
        return Document.of(
            f"🔓 {'Every project' if everything else project} is released.",
            f"It was locked by {lock.by} since {lock.at}: {lock.reason}",
        )


COMMAND = Unlock()
