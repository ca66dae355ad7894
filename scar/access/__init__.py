"""Access control: who makes a request (`Actor`), and which role allows what (`Access`)."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from scar.errors import ScarError
from scar.json_object import JsonObject, member
from scar.projects import Project
from scar.role import Role
from scar.settings.parsers import ApiToken

__all__ = ["Access", "Actor", "Role", "UserDirectory"]

_TOKENS = "SCAR_API_TOKENS"


@dataclass(frozen=True)
class Actor:
    """The person, API client or schedule that makes a request. Two actors are the same person if
    `frontend` and `id` are equal.

    `frontend` says what issued the id: the name of a front-end, `api`, `web` or `schedule`. `name`
    is only displayed and proves nothing. `role` is the role the actor had when the request was
    made.
    """

    frontend: str
    id: str
    name: str = field(compare=False)
    role: Role | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """The actor in the form that the projects file uses for people, such as
        `telegram:12345`.
        """
        return f"{self.frontend}:{self.id}"

    def to_json(self) -> JsonObject:
        """Return the actor as a job's `requested_by` in the API."""
        role = None if self.role is None else str(self.role)
        return {"frontend": self.frontend, "id": self.id, "name": self.name, "role": role}

    @classmethod
    def from_json(cls, content: JsonObject) -> Actor:
        """Parse the JSON that `to_json` returned; raises what `MALFORMED` lists."""
        role = None if content.get("role") is None else Role.parse(content["role"])
        frontend, id, name = (member(content, key, str) for key in ("frontend", "id", "name"))
        return cls(frontend, id, name, role)


@dataclass(frozen=True)
class UserDirectory:
    """The people of one front-end: `roles` maps user ids to roles, `everyone` is the role of all
    others (None refuses them).

    `setting` is the environment variable to which an admin adds a person, in the form `entry`. With
    `ignore_case`, the ids in `roles` are in small letters.
    """

    roles: Mapping[str, Role] = field(default_factory=dict)
    everyone: Role | None = None
    setting: str | None = None
    entry: str = "{id}:viewer"
    ignore_case: bool = False

    def key_of(self, actor: Actor) -> str:
        """Return the actor's key, in small letters if this front-end's ids ignore case."""
        return self.normalised(actor.key)

    def normalised(self, key: str) -> str:
        """Return a person's key, in small letters if this front-end's ids ignore case."""
        return key.lower() if self.ignore_case else key

    def role_of(self, actor: Actor) -> Role | None:
        """Return the actor's role by the front-end's settings, without any project's roles."""
        return self.roles.get(self.normalised(actor.id), self.everyone)


class Access:
    """Decides what an actor may do, by the roles in the settings and in the projects file.

    `directories` are those of the front-ends, by name. A schedule, which runs what the projects
    file says, is an operator. A service, which is a front-end itself and no person of it, may read
    jobs to show them.
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
        """Return the actor's highest role, including the roles that `project` grants; None for a
        stranger.
        """
        directory = self._directory(actor)
        roles = [directory.role_of(actor)]
        for added, people in project.roles.items() if project else ():
            if directory.key_of(actor) in map(directory.normalised, people):
                roles.append(added)
        return max((role for role in roles if role is not None), default=None)

    def require(
        self, actor: Actor, role: Role, project: Project | None, *, what: str = "this"
    ) -> Role:
        """Return the actor's role where it is `role` or higher. `what` names the request in the
        error's message, such as `a restart`.

        Raises `unauthorized` for a stranger (an actor without any role), `forbidden` for anybody
        else.
        """
        actual = self.role_of(actor, project)
        if actual is None:
            raise self._stranger(actor)
        if actual < role:
            raise self._too_low(actor, actual, role, what)
        return actual

    def allows(self, actor: Actor, role: Role, project: Project | None) -> bool:
        """Return whether the actor has `role` or a higher one."""
        actual = self.role_of(actor, project)
        return actual is not None and actual >= role

    def highest_role(self, actor: Actor, projects: Iterable[Project]) -> Role | None:
        """Return the actor's highest role on any of the projects; None for a stranger."""
        roles = [self.role_of(actor, project) for project in (None, *projects)]
        return max((role for role in roles if role is not None), default=None)

    def actor_of_token(self, secret: str, frontend: str = "api") -> Actor | None:
        """Return the actor to whom an API token belongs, or None; compares in constant time."""
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
        """Return the actor's key as one short printable line, safe to log whatever the id
        contains.
        """
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
