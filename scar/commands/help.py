"""`/help`: what this person may do here."""

from __future__ import annotations

from collections.abc import Sequence

from scar.access import Actor
from scar.commands.command import LocalCommand, Surroundings
from scar.document import Document


class Help(LocalCommand):
    """The commands that the person's role allows."""

    word = "help"
    summary = "what you may do here"
    rank = 90

    def reply(self, actor: Actor, words: Sequence[str], around: Surroundings) -> Document:  # noqa: ARG002
        """One line a command."""
        role = around.access.highest_role(actor, around.projects.projects.values())
        if role is None:
            around.access.require(actor, self.role, None)
        lines = ["🤖 What you may do here", ""]
        for command in around.commands():
            if role is not None and command.role <= role:
                asked = " (asks for a yes)" if getattr(command, "asks", False) else ""
                lines.append(f"{command.spelled} - {command.summary}{asked}")
        lines += ["", f"Your role: {role.name.lower() if role is not None else 'none'}"]
        return Document.of("\n".join(lines))


COMMAND = Help()
