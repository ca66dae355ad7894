"""What SCAR uses of GitHub's webhook deliveries (`scar.jobs.github_delivery`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from scar.frontends.github.client import AuthoredComment
from scar.json_object import JsonObject


@dataclass(frozen=True)
class CommentDelivery:
    """A comment on an issue or a pull request; `is_review` if it is on a line of a pull
    request's diff.
    """

    id: int
    is_review: bool
    repository: str
    number: int
    login: str
    body: str
    created_at: str

    def is_same(self, written: AuthoredComment) -> bool:
        """Return whether GitHub has the comment as it was delivered: of the same person, and not
        edited since.
        """
        return (written.login.lower(), written.body) == (self.login.lower(), self.body) and (
            datetime.fromisoformat(written.created_at) == datetime.fromisoformat(self.created_at)
        )

    @classmethod
    def from_json(cls, letter: JsonObject) -> CommentDelivery:
        """Parse a delivery; raise `LookupError` if a field is missing."""
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
    """A push to a branch, to be deployed to one project.

    `id` is that of the inbox entry, `url` the address of the repository's page. `pushed_at` is the
    time of the push in seconds since the epoch (0 if unknown), which matters because deliveries may
    arrive out of order.
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
        """Parse an entry of the inbox; raise `LookupError` if a field is missing."""
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

    @property
    def digest(self) -> bytes:
        """A digest that identifies the push within its project. A push of the same commit at
        another time has another digest.
        """
        what = [self.project, self.repository, self.branch, self.commit, self.pushed_at]
        return sha256(json.dumps(what).encode()).digest()

    def to_json(self) -> JsonObject:
        """Return the push as JSON, to be stored on Redis until it is deployed."""
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
        """Parse the JSON of `to_json`, including that of earlier versions."""
        return cls.from_letter(content["id"], content["for"], content)
