"""Actors, and authorisation by role."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from scar.errors import ScarError
from scar.json_object import JsonObject
from scar.projects import Project
from scar.role import Role
from scar.settings.parsers import ApiToken

__all__ = ["Access", "Actor", "Role", "UserDirectory"]

_TOKENS = "SCAR_API_TOKENS"


@dataclass(frozen=True)
class Actor:
    """The person, client or schedule that asks. Two actors are the same person if `frontend` and
    `id` are equal.

    `frontend` is where the id is from: the name of a front-end, `api`, `web` or `schedule`. `name`
    is for people to read and proves nothing; `role` is the one they had when they asked.
    """

    frontend: str
    id: str
    name: str = field(compare=False)
    role: Role | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """`telegram:12345`, as the projects file names people."""
        return f"{self.frontend}:{self.id}"

    def to_json(self) -> JsonObject:
        """Return the `requested_by` of a job."""
        role = None if self.role is None else str(self.role)
        return {"frontend": self.frontend, "id": self.id, "name": self.name, "role": role}

    @classmethod
    def from_json(cls, content: JsonObject) -> Actor:
        """Read `to_json`."""
        role = None if content.get("role") is None else Role.parse(content["role"])
        return cls(content["frontend"], content["id"], content["name"], role)


@dataclass(frozen=True)
class UserDirectory:
    """The people of one front-end: `roles` by id, and the role of everyone else (None: strangers).

    `setting` is the variable to which an admin adds a person, as `entry`. Where ids `ignore_case`,
    those in `roles` are in small letters.
    """

    roles: Mapping[str, Role] = field(default_factory=dict)
    everyone: Role | None = None
    setting: str | None = None
    entry: str = "{id}:viewer"
    ignore_case: bool = False

    def key_of(self, actor: Actor) -> str:
        """Return the actor's key in the case that counts here."""
        return self.normalised(actor.key)

    def normalised(self, key: str) -> str:
        """Return a person's key in the case that counts here."""
        return key.lower() if self.ignore_case else key

    def role_of(self, actor: Actor) -> Role | None:
        """Return the role that the settings give."""
        return self.roles.get(self.normalised(actor.id), self.everyone)


class Access:
    """The roles that the settings and the projects file give.

    `directories` are those of the front-ends, by name. A schedule does what the projects file says
    and is an operator. A service, the front-end itself, looks at jobs to show them.
    """

    def __init__(
        self, directories: Mapping[str, UserDirectory], api_tokens: Sequence[ApiToken]
    ) -> None:
        self._tokens = [(sha256(token.secret.encode()).digest(), token) for token in api_tokens]
        clients = UserDirectory(
            {token.name: token.role for token in api_tokens},
            setting=_TOKENS,
            entry="{id}:viewer:SECRET",
        )
        schedule = UserDirectory(everyone=Role.OPERATOR)
        self._directories = {
            **{"api": clients, "web": clients, "schedule": schedule},
            "service": UserDirectory(everyone=Role.VIEWER),
            **directories,
        }

    def role_of(self, actor: Actor, project: Project | None) -> Role | None:
        """Return the highest role of `actor`, with what `project` adds; None for a stranger."""
        directory = self._directory(actor)
        roles = [directory.role_of(actor)]
        for added, people in project.roles.items() if project else ():
            if directory.key_of(actor) in map(directory.normalised, people):
                roles.append(added)
        return max((role for role in roles if role is not None), default=None)

    def require(
        self, actor: Actor, role: Role, project: Project | None, *, what: str = "this"
    ) -> Role:
        """Return the actor's role where it is `role` or higher. `what` is what they ask for, as a
        sentence begins with it: `a restart`.

        Raises `unauthorized` for strangers, `forbidden` for everybody else.
        """
        actual = self.role_of(actor, project)
        if actual is None:
            raise self._stranger(actor)
        if actual < role:
            raise self._too_low(actor, actual, role, what)
        return actual

    def allows(self, actor: Actor, role: Role, project: Project | None) -> bool:
        """Return whether `require` would let them pass."""
        actual = self.role_of(actor, project)
        return actual is not None and actual >= role

    def highest_role(self, actor: Actor, projects: Iterable[Project]) -> Role | None:
        """Return the highest role they have on any project; None for a stranger."""
        roles = [self.role_of(actor, project) for project in (None, *projects)]
        return max((role for role in roles if role is not None), default=None)

    def actor_of_token(self, secret: str, frontend: str = "api") -> Actor | None:
        """Return whose token `secret` is; the time that takes does not depend on the secrets."""
        given = sha256(secret.encode("utf-8", "surrogatepass")).digest()
        actor = None
        for digest, token in self._tokens:
            if hmac.compare_digest(digest, given):
                actor = Actor(frontend, token.name, token.name, token.role)
        return actor

    def knows_people_of(self, front_end: str) -> bool:
        """Whether the settings of this process say who the people of a front-end are."""
        directory = self._directories.get(front_end, UserDirectory())
        return bool(directory.roles) or directory.everyone is not None

    def _directory(self, actor: Actor) -> UserDirectory:
        return self._directories.get(actor.frontend, UserDirectory())

    def _shown(self, actor: Actor) -> str:
        """Return the actor's key on one short line, whatever characters the id holds."""
        return "".join(c for c in self._directory(actor).key_of(actor) if c.isprintable())[:64]

    def _stranger(self, actor: Actor) -> ScarError:
        directory, shown = self._directory(actor), self._shown(actor)
        hint = "Ask an admin."
        if directory.setting:
            entry = directory.entry.format(id=shown.partition(":")[2])
            hint = f"An admin can add {entry} to {directory.setting}."
        return ScarError("unauthorized", f"You are not known here. Your id is {shown}.", hint)

    def _too_low(self, actor: Actor, actual: Role, needed: Role, what: str) -> ScarError:
        setting = self._directory(actor).setting
        where = f" in {setting}, or" if setting else ""
        return ScarError(
            "forbidden",
            f"You are {actual.with_article} here; {what} needs {needed.with_article}.",
            f"An admin can make {self._shown(actor)} one{where} under the project's `roles` in the "
            "projects file.",
        )
