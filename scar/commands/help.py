"""`/help`: the commands that the person may use."""

from __future__ import annotations

from collections.abc import Sequence

from scar.access import Actor
from scar.commands.local_command import CommandContext, LocalCommand
from scar.document import Document


class HelpCommand(LocalCommand):
    """Lists the commands that the person's role permits."""

    word = "help"
    summary = "what you may do here"
    rank = 90

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:  # noqa: ARG002
        role = context.access.highest_role(actor, context.projects.projects.values())
        if role is None:
            context.access.require(actor, self.role, None)
        lines = ["🤖 What you may do here", ""]
        for command in context.commands():
            if role is not None and command.role <= role:
                asks = " (asks for a yes)" if getattr(command, "asks", False) else ""
                lines.append(f"{command.spelled} - {command.summary}{asks}")
        lines += ["", f"Your role: {role.name.lower() if role is not None else 'none'}"]
        return Document.of("\n".join(lines))


COMMAND = HelpCommand()
