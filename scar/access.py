"""Who asks, and what they may ask for."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from scar.errors import ScarError
from scar.projects import Project
from scar.role import Role
from scar.settings import Settings

__all__ = ["FRONTENDS", "Access", "Actor", "Role"]

FRONTENDS = ("telegram", "github", "console", "api", "web", "schedule")


@dataclass(frozen=True)
class Actor:
    """Who asked. Two actors are one person if front-end and id are the same.

    `name` is what a person reads and proves nothing; `role` is the one they had when they asked.
    """

    frontend: str
    id: str
    name: str = field(compare=False)
    role: Role | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """`telegram:12345`, as the projects file names people. GitHub's logins ignore case."""
        return _same_case(f"{self.frontend}:{self.id}")

    def to_json(self) -> dict[str, Any]:
        """The `requested_by` of a job."""
        role = None if self.role is None else str(self.role)
        return {"frontend": self.frontend, "id": self.id, "name": self.name, "role": role}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Actor:
        """The reverse of `to_json`."""
        role = None if found.get("role") is None else Role.parse(found["role"])
        return cls(found["frontend"], found["id"], found["name"], role)


_PLACES = {
    "telegram": "SCAR_TELEGRAM_USERS",
    "github": "SCAR_GITHUB_USERS",
    "api": "SCAR_API_TOKENS",
    "web": "SCAR_API_TOKENS",
}


class Access:
    """The roles that the settings and the projects file give."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = [
            (sha256(token.secret.encode()).digest(), token) for token in settings.api_tokens
        ]
        token_roles = {token.name: token.role for token in settings.api_tokens}
        self._roles: dict[str, Mapping[str, Role]] = {
            "telegram": settings.telegram_users,
            "github": settings.github_users,
            "api": token_roles,
            "web": token_roles,
        }

    def role_of(self, actor: Actor, project: Project | None) -> Role | None:
        """The highest role of `actor`, with what `project` adds; None for a stranger.

        Whoever is at the console can read the key that signs jobs, and is an admin. A schedule
        does what the projects file says, and is an operator.
        """
        if actor.frontend == "console":
            return Role.ADMIN
        if actor.frontend == "schedule":
            return Role.OPERATOR
        _, _, known_id = actor.key.partition(":")
        role = self._roles.get(actor.frontend, {}).get(known_id)
        for added, people in project.roles.items() if project else ():
            if actor.key in map(_same_case, people) and (role is None or added > role):
                role = added
        return role

    def require(self, actor: Actor, role: Role, project: Project | None) -> Role:
        """The actor's role, or a refusal: `unauthorized` for strangers, else `forbidden`."""
        found = self.role_of(actor, project)
        if found is None:
            raise _stranger(actor)
        if found < role:
            raise _too_low(actor, found, role)
        return found

    def allows(self, actor: Actor, role: Role, project: Project | None) -> bool:
        """Whether `require` would let them pass."""
        found = self.role_of(actor, project)
        return found is not None and found >= role

    def highest_role(self, actor: Actor, projects: Iterable[Project]) -> Role | None:
        """The highest role they have anywhere; None for a stranger."""
        found = [self.role_of(actor, project) for project in (None, *projects)]
        return max((role for role in found if role is not None), default=None)

    def actor_of_token(self, secret: str, frontend: str = "api") -> Actor | None:
        """Whose token `secret` is, found in a time that tells nothing of the secrets."""
        given = sha256(secret.encode("utf-8", "surrogatepass")).digest()
        found = None
        for digest, token in self._tokens:
            if hmac.compare_digest(digest, given):
                found = Actor(frontend, token.name, token.name, token.role)
        return found


def _same_case(key: str) -> str:
    return key.lower() if key.startswith("github:") else key


def _shown(actor: Actor) -> str:
    return "".join(c for c in actor.key if c.isprintable())[:64]


def _stranger(actor: Actor) -> ScarError:
    known_id = _shown(actor).partition(":")[2]
    place = _PLACES.get(actor.frontend)
    entry = f"{known_id}:viewer" + (":SECRET" if place == "SCAR_API_TOKENS" else "")
    hint = f"An admin can add {entry} to {place}." if place else "Ask an admin."
    return ScarError("unauthorized", f"You are not known here. Your id is {_shown(actor)}.", hint)


def _too_low(actor: Actor, found: Role, needed: Role) -> ScarError:
    place = _PLACES.get(actor.frontend)
    where = f" in {place}, or" if place else ""
    return ScarError(
        "forbidden",
        f"This needs the role {needed}, and {_shown(actor)} is {found}.",
        f"An admin can give it{where} under the project's `roles` in the projects file.",
    )
