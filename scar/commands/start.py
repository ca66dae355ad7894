"""`/start`: the greeting that Telegram requests when somebody opens a chat with the bot."""

from __future__ import annotations

from collections.abc import Sequence

from scar.access import Actor
from scar.commands.local_command import CommandContext, LocalCommand
from scar.document import Document


class StartCommand(LocalCommand):
    """Says what SCAR is and which commands to begin with."""

    word = "start"
    summary = "begin"
    rank = 91

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:  # noqa: ARG002
        context.access.require(actor, self.role, None)
        names = ", ".join(context.projects.names()) or "none yet"
        return Document.of(
            f"👋 Hello {actor.name}. SCAR looks after your Docker Compose projects: {names}.",
            "",
            "Try /docker_status, or /help for everything you may do here.",
        )


COMMAND = StartCommand()
