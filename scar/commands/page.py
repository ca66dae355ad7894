"""`/page`: a link that signs the person in to the page, once."""

from __future__ import annotations

from collections.abc import Sequence

from scar.access import Actor
from scar.commands.local_command import CommandContext, LocalCommand
from scar.document import Document
from scar.errors import ScarError


class PageCommand(LocalCommand):
    """Replies with the link, but only where nobody else can read it, since whoever opens the link
    is signed in as the person who asked.
    """

    word = "page"
    summary = "a link to the page, signed in as you"
    noun = "a link"
    rank = 34

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:  # noqa: ARG002
        if context.access.highest_role(actor, context.projects.projects.values()) is None:
            context.access.require(actor, self.role, None)
        if not context.private:
            raise ScarError(
                "forbidden",
                "The link would sign in whoever opens it here",
                "Send /page to me in a private chat.",
            )
        return Document.of(
            f"🔗 {context.page_link(actor)}",
            "",
            "It signs you in once, within a minute, and for 12 hours.",
        )


COMMAND = PageCommand()
