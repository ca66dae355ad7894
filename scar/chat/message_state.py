"""The state of a job's message, stored on Redis so that a restarted front-end can continue it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from scar.access import Actor


@dataclass(frozen=True)
class OpenQuestion:
    """A question that a message shows: the hash of its plan, and the time it was shown, in
    seconds by the platform's clock.
    """

    plan: str
    at: float


@dataclass(frozen=True)
class MessageState:
    """The state of a message on its platform; without any values, the message has not been sent
    yet.

    `notified` is set before the job's end is announced with a sound: a process that finds it set
    cannot know whether the announcement was delivered, and does not repeat it.

    `baked` lists the findings of the deploy's bake that were already sent with a sound.

    `reference` is the platform's reference to the message. `attached` says for which version of the
    job a file was last sent. `opener` is the person who displayed the job here with `/job`; None if
    the job was requested here.
    """

    reference: str | None = None
    attached: str | None = None
    question: OpenQuestion | None = None
    opener: Actor | None = None
    notified: bool = False
    baked: str = ""

    def to_text(self) -> str:
        """Return the state as the text that `Subscriptions` stores."""
        content: dict[str, Any] = {
            "reference": self.reference,
            "attached": self.attached,
            "asked": asdict(self.question) if self.question else None,
        }
        if self.notified:
            content["notified"] = True
        if self.baked:
            content["baked"] = self.baked
        if self.opener:
            content["by"] = self.opener.to_json()
        return json.dumps(content)

    @classmethod
    def from_text(cls, text: str) -> MessageState:
        """Parse the text of `to_text`, including that of earlier versions.

        Raises `LookupError`, `TypeError` or `ValueError` for any other text.
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
            bool(content.get("notified")),
            str(content.get("baked") or ""),
        )
