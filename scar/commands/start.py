"""`/start`: the first words of a chat."""

from __future__ import annotations

from collections.abc import Sequence

from scar.access import Actor
from scar.commands.command import LocalCommand, Surroundings
from scar.document import Document


class Start(LocalCommand):
    """Says what SCAR is, and where to begin."""

    word = "start"
    summary = "begin"
    rank = 91

    def reply(self, actor: Actor, words: Sequence[str], around: Surroundings) -> Document:  # noqa: ARG002
        """A greeting with the first thing to try."""
        around.access.require(actor, self.role, None)
        names = ", ".join(around.projects.names()) or "none yet"
        return Document.of(
            f"👋 Hello {actor.name}. SCAR looks after your Docker Compose projects: {names}.",
            "",
            "Try /docker_status, or /help for everything you may do here.",
        )


COMMAND = Start()
