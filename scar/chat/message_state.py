"""What a front-end keeps of a job's message, to take it up again after a restart."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from scar.access import Actor


@dataclass(frozen=True)
class OpenQuestion:
    """A question that a message shows: the hash of its plan, and since when, in seconds, by the
    place's own clock.
    """

    plan: str
    at: float


@dataclass(frozen=True)
class MessageState:
    """The message as the place has it; the state without values is that of a message not sent yet.

    `reference` is the front-end's own. `attached` names the version of the job whose file was sent
    last. `opener` is who opened this window on the job; None where the job was asked for here.
    """

    reference: str | None = None
    attached: str | None = None
    question: OpenQuestion | None = None
    opener: Actor | None = None

    def to_text(self) -> str:
        """Return the state as `Subscriptions` keep it."""
        content: dict[str, Any] = {
            "reference": self.reference,
            "attached": self.attached,
            "asked": asdict(self.question) if self.question else None,
        }
        if self.opener:
            content["by"] = self.opener.to_json()
        return json.dumps(content)

    @classmethod
    def from_text(cls, text: str) -> MessageState:
        """Read `to_text`, of an earlier version too.

        Raises `LookupError`, `TypeError` or `ValueError` for another text.
        """
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("the state of a message is a JSON object")
        question, opener = content.get("asked"), content.get("by")
        return cls(
            content.get("reference"),
            content.get("attached"),
            OpenQuestion(**question) if question else None,
            Actor.from_json(opener) if opener else None,
        )
