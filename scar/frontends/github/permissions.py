"""Checks a person's permission on the GitHub repository, in addition to the role in SCAR."""

from __future__ import annotations

import time

from scar.access import Role
from scar.chat.front_end import IncomingMessage
from scar.commands.command_parser import Answer, CommandParser
from scar.errors import ScarError
from scar.frontends.github.client import GitHub, Refused

_REMEMBERED_SECONDS = 30.0
_RETRY_SECONDS = 1.0
_MAY_CHANGE = ("admin", "maintain", "push", "write")


class Permissions:
    """Refuses commands that exceed a person's permission on the repository, whatever their role
    in SCAR.
    """

    def __init__(self, github: GitHub, parser: CommandParser) -> None:
        self._github = github
        self._parser = parser
        self._remembered: dict[tuple[str, str], tuple[str | None, float]] = {}

    async def refusal(self, incoming: IncomingMessage) -> ScarError | None:
        """Return the error to reply if the comment's author lacks the permission on the repository,
        else None.

        A command for operators or admins, and a `yes`, require write permission; other commands
        require read permission. If GitHub does not tell the permission, only the latter are
        allowed.
        """
        repository, login = incoming.place.chat, incoming.actor.id
        changes = self._changes(incoming.text)
        if changes is None:
            return None
        try:
            permission = await self._permission(repository, login, anew=changes)
        except Refused as error:
            return ScarError(
                "forbidden",
                f"GitHub does not say now what {login} may do here",
                f"Comment again in {error.retry_after or _RETRY_SECONDS:.0f} seconds.",
            )
        if permission is None and changes:
            return ScarError(
                "forbidden",
                f"GitHub does not tell SCAR what {login} may do on {repository}, "
                "so nothing is changed from here",
                "An admin gives SCAR's token write access to the repository, or its App the "
                "permission `metadata: read`.",
            )
        if permission in _MAY_CHANGE or (permission != "none" and not changes):
            return None
        needed = "write" if changes else "read"
        return ScarError(
            "forbidden",
            f"This needs the permission to {needed} on {repository}, and "
            f"{login} has '{permission}'",
            "An owner of the repository can give it.",
        )

    def _changes(self, text: str) -> bool | None:
        """Return whether the text needs write permission; None if it is not a known command."""
        try:
            meaning = self._parser.parse(text)
        except ScarError:
            return None
        if meaning is None or isinstance(meaning, Answer):
            return meaning is Answer.YES
        return meaning.command.role >= Role.OPERATOR

    async def _permission(self, repository: str, login: str, *, anew: bool) -> str | None:
        """Return the user's permission; with `anew`, ask GitHub instead of using a value up to
        30 seconds old.
        """
        known = self._remembered.get((repository, login))
        if anew or known is None or known[1] < time.monotonic() - _REMEMBERED_SECONDS:
            permission = await self._github.permission(repository, login)
            known = self._remembered[repository, login] = permission, time.monotonic()
        return known[0]
