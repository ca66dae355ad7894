"""`/reload`: read the projects file again and report whether it is valid."""

from __future__ import annotations

from collections.abc import Sequence

from scar.access import Actor
from scar.commands.local_command import CommandContext, LocalCommand
from scar.commands.text_format import counted
from scar.document import Document


class ReloadCommand(LocalCommand):
    """Reloads the projects file. Changes also take effect without it; the reply says whether the
    file is valid.
    """

    word = "reload"
    summary = "read the projects file again"
    rank = 32

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:  # noqa: ARG002
        context.access.require(actor, self.role, None)
        context.projects.reload()
        problem = context.projects.problem
        names = context.projects.names()
        in_force = f"{counted(len(names), 'project')}: {', '.join(names) or 'none'}"
        if problem:
            return Document.of(
                f"⚠️ {problem.message}", f"💡 {problem.hint}", f"In force: {in_force}"
            )
        wrong = [
            f"⚠️ {name}: {record.message}\n💡 {record.hint}"
            for name, record in sorted(context.problems().items())
            if name in names
        ]
        return Document.of(f"✅ Projects file read. {in_force}", *wrong)


COMMAND = ReloadCommand()
