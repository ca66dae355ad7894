"""What GitHub delivers, as the API puts it into the inbox."""

from __future__ import annotations

from dataclasses import dataclass

from scar.json_object import JsonObject


@dataclass(frozen=True)
class CommentDelivery:
    """A comment on an issue, a pull request, or a line of one (`is_review`)."""

    id: int
    is_review: bool
    repository: str
    number: int
    login: str
    body: str
    created_at: str

    @classmethod
    def from_json(cls, letter: JsonObject) -> CommentDelivery:
        """Read a letter of the inbox; raises `LookupError` where something is missing."""
        return cls(
            id=letter["id"],
            is_review=letter["review"],
            repository=letter["repository"],
            number=letter["number"],
            login=letter["login"],
            body=letter["body"],
            created_at=letter["created_at"],
        )


@dataclass(frozen=True)
class Push:
    """A push to a branch, for one project that may deploy it.

    `id` is the letter's, `url` the repository's page. `pushed_at` is when GitHub took the push in,
    in seconds since the epoch (0 where unknown): deliveries may arrive out of order.
    """

    id: str
    project: str
    repository: str
    url: str
    branch: str
    commit: str
    login: str
    pushed_at: float

    @classmethod
    def from_letter(cls, id: str, project: str, letter: JsonObject) -> Push:
        """Read a letter of the inbox; raises `LookupError` where something is missing."""
        return cls(
            id=id,
            project=project,
            repository=letter["repository"],
            url=letter["url"],
            branch=letter["branch"],
            commit=letter["commit"],
            login=letter["login"],
            pushed_at=float(letter.get("pushed_at", 0.0)),
        )

    def to_json(self) -> JsonObject:
        """Return the push as it is kept on Redis until it is deployed."""
        return {
            "event": "push",
            "id": self.id,
            "for": self.project,
            "repository": self.repository,
            "url": self.url,
            "branch": self.branch,
            "commit": self.commit,
            "login": self.login,
            "pushed_at": self.pushed_at,
        }

    @classmethod
    def from_json(cls, content: JsonObject) -> Push:
        """Read `to_json`, of an earlier version too."""
        return cls.from_letter(content["id"], content["for"], content)
