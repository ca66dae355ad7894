"""Reports an error in the projects file in a place, once."""

from __future__ import annotations

from scar.chat.context import ChatContext
from scar.chat.front_end import IncomingMessage, Place
from scar.chat.sender import Sender
from scar.commands.notices import refusal

_SAY_IT_THEMSELVES = ("projects", "reload")


class ProjectsFileNotice:
    """Remembers which error each place was told. A different error is reported again."""

    def __init__(self, context: ChatContext, sender: Sender) -> None:
        self._context = context
        self._sender = sender
        self._told: dict[Place, str] = {}

    def tell(self, incoming: IncomingMessage, *, word: str = "", answer: str = "") -> None:
        """Report the error, unless the command `word` or its `answer` contains it.

        Only people with a role on every project are told, since it names folders and containers.
        """
        services = self._context.services
        problem = services.projects.problem
        if problem is None:
            self._told.pop(incoming.place, None)
        elif services.access.role_of(incoming.actor, None) is not None:
            known = self._told.get(incoming.place) == problem.message
            self._told[incoming.place] = problem.message
            if not known and word not in _SAY_IT_THEMSELVES and answer != problem.message:
                self._sender.send(incoming.place, refusal(problem))
