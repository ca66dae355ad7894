"""`/reload`: reads the projects file again, and says what it found."""

from __future__ import annotations

from collections.abc import Sequence

from scar.access import Actor
from scar.commands.command import LocalCommand, Surroundings
from scar.commands.words import counted
from scar.document import Document


class Reload(LocalCommand):
    """A change takes effect by itself; this says whether it did."""

    word = "reload"
    summary = "read the projects file again"
    rank = 32

    def reply(self, actor: Actor, words: Sequence[str], around: Surroundings) -> Document:  # noqa: ARG002
        """How many projects are in force, or what is wrong with the file."""
        around.access.require(actor, self.role, None)
        around.projects.reload()
        problem = around.projects.problem
        names = around.projects.names()
        in_force = f"{counted(len(names), 'project')}: {', '.join(names) or 'none'}"
        if problem:
            return Document.of(
                "⚠️ The projects file was not taken over",
                problem.message,
                f"💡 {problem.hint}",
                f"The last good configuration stays in force: {in_force}",
            )
        return Document.of(f"✅ Projects file read. {in_force}")


COMMAND = Reload()
